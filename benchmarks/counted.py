"""A run whose bricks are all written, as phase `write` finds it at its end: the counts of every brick, and a mapping.

Nothing of it was segmented. In a brick of 64 blocks each supervoxel lies in 8 blocks, so there are 60 in a block, as in
labels of real EM. Every second one is joined with those of 7 other bricks, and one body runs through all bricks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from benchmarks.dvid import VOXEL_SIZE_NM
from emseg.array_types import Ids
from emseg.config import RunParameters, RunSpec
from emseg.dvid import BLOCK_VOX, DvidServer, IndexTable, Node, create_repo
from emseg.geometry import cells_of
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.resolve.artefacts import MAPPING
from emseg.phases.resolve.items import BODIES, RegionItem, regions_of, regions_used
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import NEW_COUNTS, REPLACED_COUNTS, SUBSTITUTES, counts_table
from emseg.phases.write.branch import prepare_branch
from emseg.phases.write.bricks import brick_name
from emseg.stitch import BodyMapping
from emseg.store import ItemMarker, Markers
from emseg.tasks.pin import pin_run

MAX_SCALE = 2
BRICK_VOX = BLOCK_VOX << MAX_SCALE
SUPERVOXELS = 480
"""Of a brick."""
BRICK_ROWS = 8 * SUPERVOXELS
LOCAL = np.arange(1, SUPERVOXELS + 1, dtype=np.uint64)
PLACE = 8 * ((LOCAL - 1) // 60) + np.arange(8, dtype=np.uint64)[:, None]
"""The 8 blocks of each supervoxel, by their number in the brick."""
ROWS = IndexTable(
    np.indices((4, 4, 4), np.int32).reshape(3, -1).T[PLACE.ravel()],
    np.tile(LOCAL, 8),
    np.tile(LOCAL, 8),
    np.full(BRICK_ROWS, 4369, np.uint32),
)


def counted_run(server: DvidServer, folder: Path, bricks: int, name: str) -> RunSpec:
    """A pinned run of so many bricks in a row, of which DVID holds the grayscale of one block."""
    node = Node(server, create_repo(server, name, "benchmarks of emseg"))
    ingest_grayscale(
        node, "grayscale", ArrayVolume(np.full((BLOCK_VOX,) * 3, 99, np.uint8), "grayscale"), VOXEL_SIZE_NM
    )
    ingest_labels(node, "groundtruth", ArrayVolume(np.ones((BLOCK_VOX,) * 3, np.uint64), "labels"), VOXEL_SIZE_NM)
    node.commit("benchmark volume")
    document = {
        "name": name,
        "description": "counts made by a generator",
        "volume": {"node": node.uuid, "groundtruth": {"instance": "groundtruth"}},
        "segmentation": {"core_vox": [BRICK_VOX] * 3},
        "output": {"instance": "segmentation", "max_scale": MAX_SCALE},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    spec = pin_run(RunParameters(dataset=name), "finish", folder, server)
    volume = spec.volume.model_copy(update={"bounds_stop": (BRICK_VOX, BRICK_VOX, BRICK_VOX * bricks)})
    return spec.model_copy(update={"volume": volume})


def counted(run: RunContext[DvidServices], bricks: int) -> Markers:
    """Make the run's branch, its mapping and the tables of its bricks; the markers of these."""
    prepare_branch(run)
    mapping = BodyMapping.joined(_joined(bricks))
    region, folder = regions_of(run).holding(cells_of(mapping.supervoxels), 0), run.folder("resolve")
    for number in regions_used(run, 0):
        item = RegionItem(BODIES, 0, number).name
        folder.commit_item(item, [MAPPING.write(folder, item, mapping.rows(region == number).to_arrow())], {})
    folder.commit_phase(folder.item_markers(sorted(folder.done_items())), {})
    return Markers.of(_marked(run, bricks))


def _joined(bricks: int) -> Iterator[BodyMapping]:
    for number in range(bricks):
        first = np.uint64(number - number % 8) << np.uint64(24)
        own = np.uint64(number) << np.uint64(24)
        bodies: Ids = np.concatenate([LOCAL[:1], first | LOCAL[1::2]])
        yield BodyMapping(np.concatenate([own | LOCAL[:1], own | LOCAL[1::2]]), bodies)


def _marked(run: RunContext[DvidServices], bricks: int) -> Iterator[ItemMarker]:
    folder = run.folder("write")
    for number in range(bricks):
        item, own = brick_name(number), np.uint64(number) << np.uint64(24)
        block = ROWS.block + np.array([0, 0, 4 * number], np.int32)
        rows = IndexTable(block, own | ROWS.supervoxel, own | ROWS.supervoxel, ROWS.count)
        tables = [
            NEW_COUNTS.write(folder, item, counts_table(rows)),
            *(empty.write(folder, item, empty.schema.empty_table()) for empty in (REPLACED_COUNTS, SUBSTITUTES)),
        ]
        yield folder.commit_item(item, tables, {"renamed": 0, "rows": len(rows), "rows_replaced": 0})
