"""Phase `write`: labels and mapping in, a labelmap on the run's own DVID branch out.

One item is one brick. It writes supervoxel blocks at every scale, reads them back, compares digests, and leaves the
table `counts` (voxels of each supervoxel in each block). When every brick is written, `complete_labelmap` does the
rest in the driver. Memory of a task: 20 bytes a brick voxel (340 MB at max_scale 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.codec import encode_table
from emseg.dvid import (
    BLOCK_VOX,
    IndexTable,
    Labelmap,
    Node,
    block_counts,
    downsample_labels,
    write_brick,
)
from emseg.geometry import Box, Vec
from emseg.stages.bricks import brick_grid, bricks_of, whole_brick
from emseg.stages.complete_labelmap import COUNTS_SCHEMA, STAGE, FinishLabelmap
from emseg.stages.engine import Phase
from emseg.stages.keys import stage_keys
from emseg.stages.match import read_labels
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.services import DvidServices, Workplace, branch_name, is_chosen, segmentation_uuid
from emseg.stitch import supervoxel_ids
from emseg.store import ItemMarker


def write_phase(place: Workplace[DvidServices], cells: list[int]) -> Phase:
    """Writing of the bricks that the subvolumes `cells` touch."""
    spec = place.spec
    items = tuple(f"br-{number:08d}" for number in bricks_of(spec.grid, cells, spec.output.max_scale))
    return Phase(STAGE, stage_keys(spec).write, items, WriteBrick(place), FinishLabelmap(place))


def prepare_branch(place: Workplace[DvidServices]) -> None:
    """Make (or find again) the run's branch and its labelmap instance; before the first brick is written."""
    spec, server = place.spec, place.open_services().server
    parent = Node(server, spec.volume.node)
    node = parent.branch(branch_name(spec), uuid=segmentation_uuid(spec), note=f"emseg {spec.dataset}: not judged yet")
    if not node.info().locked:
        Labelmap(node, spec.output.instance).create(spec.output.max_scale, spec.volume.voxel_size_nm)


@dataclass(frozen=True)
class WriteBrick:
    """The work on one brick: gather, downsample, write, read back."""

    place: Workplace[DvidServices]

    def __call__(self, item: str) -> ItemMarker:
        """Write the brick named `item`."""
        spec, services = self.place.spec, self.place.open_services()
        max_scale = spec.output.max_scale
        number = int(item.removeprefix("br-"))
        core = brick_grid(spec.volume.bounds, max_scale).subvolume(number).core
        box = whole_brick(core, max_scale)
        labels = self._gather(box)
        counts = _counts_table(block_counts(labels, _first_block(box, 0)))
        written = _write_scales(services.segmentation(spec), labels, box, max_scale)
        folder = self.place.folder(STAGE)
        artefact = folder.write_artefact(item, "counts", encode_table(counts))
        return folder.commit_item(item, [artefact], {"blocks": written, "voxels": int(np.count_nonzero(labels))})

    def _gather(self, box: Box) -> npt.NDArray[np.uint64]:
        grid, segmented = self.place.spec.grid, self.place.folder(SEGMENT)
        roi = self.place.open_services().roi(self.place.spec)
        brick = np.zeros(box.shape, np.uint64)
        for number in grid.cells_touching(box):
            subvolume = grid.subvolume(number)
            part = subvolume.core.clipped(box)
            if is_chosen(roi, subvolume.core):
                (marker,) = segmented.item_markers([subvolume.name])
                labels = read_labels(segmented, marker, "labels")[part.slices(subvolume.core.start)]
                brick[part.slices(box.start)] = supervoxel_ids(labels, number)
        return brick


def _write_scales(labelmap: Labelmap, labels: npt.NDArray[np.uint64], box: Box, max_scale: int) -> int:
    written = write_brick(labelmap, 0, labels, _first_block(box, 0))
    for scale in range(1, max_scale + 1):
        labels = downsample_labels(labels)
        written += write_brick(labelmap, scale, labels, _first_block(box, scale))
    return written


def _first_block(box: Box, scale: int) -> Vec:
    z, y, x = (a // (BLOCK_VOX << scale) for a in box.start)
    return z, y, x


def _counts_table(counts: IndexTable) -> pa.Table:
    return pa.table([*counts.block.T, counts.supervoxel, counts.count], schema=COUNTS_SCHEMA)
