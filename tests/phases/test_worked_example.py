"""The worked example of `emseg.phases.write`, table and all, made true in a real DVID.

Each group of voxels is a column of 32 voxels along X: a to f fill the core of subvolume 1, g begins subvolume 2. What
must come out is read from the docstring, so that neither it nor the code can change alone.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.phases.runs_over import (
    SEGMENTATION,
    VOXEL_NM,
    Runs,
    check_indices_against_voxels,
    labels_in,
    with_roi,
)

from emseg.array_types import Labels64, Mask
from emseg.dvid import (
    DvidServer,
    IndexTable,
    Labelmap,
    Node,
    block_counts,
    downsample_labels,
    post_indices,
    post_mappings,
    write_brick,
)
from emseg.engine.items import InProcess
from emseg.geometry import Box
from emseg.phases import phase_named, write
from emseg.phases.resolve.artefacts import MAPPING
from emseg.phases.resolve.items import BODIES, RegionItem
from emseg.phases.run_context import RunContext
from emseg.phases.segment.artefacts import CORE, LABELS
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import SUBSTITUTES
from emseg.phases.write.branch import prepare_branch
from emseg.phases.write.replaced_region import ReplacedRegion
from emseg.stitch import MAPPING_SCHEMA
from emseg.tasks.jobs import run_phases

GROUPS = "abcdefg"
WIDTH = 32
CORE_VOX = (64, 64, 6 * WIDTH)
WHOLE = Box((0, 0, 0), (64, 64, 3 * CORE_VOX[2]))
ROWS = {
    " ".join(words[: -len(GROUPS)]): words[-len(GROUPS) :]
    for words in (line.split() for line in str(write.__doc__).splitlines() if line.startswith("    "))
}
"""The lines of the table by their names."""


def id_of(text: str) -> int:
    """`1.3` as an id, `3` as a local label, `-` as 0."""
    cell, _, local = "0.0".partition(".") if text == "-" else text.rpartition(".")
    return (int(cell or 0) << 24) + int(local)


def ids_of(row: str) -> list[int]:
    return [id_of(text) for text in ROWS[row]]


def columns(ids: list[int]) -> Labels64:
    """The volume in which each group has its id."""
    labels = np.zeros(WHOLE.shape, np.uint64)
    for group, value in enumerate(ids):
        labels[:, :, CORE_VOX[2] + WIDTH * group : CORE_VOX[2] + WIDTH * (group + 1)] = value
    return labels


def test_the_table_says_what_its_ids_stand_for() -> None:
    assert ROWS["group"] == [*GROUPS]
    cell, local, number = re.search(r"(\d)\.(\d) stands for .*? = (\d+)", " ".join(str(write.__doc__).split())).groups()
    assert id_of(f"{cell}.{local}") == int(number)
    defaults = [(1 << 24) + label if label else 0 for label in ids_of("new local label")]
    assert ids_of("default id") == defaults


@pytest.fixture(scope="module")
def run(server: DvidServer, tmp_path_factory) -> RunContext[DvidServices]:
    """The run of the example, segmented and resolved by hand: no two supervoxels are joined."""
    runs = Runs(server, tmp_path_factory.mktemp("example"), "example", CORE_VOX)
    release = inherited_labels(runs.volume(WHOLE.shape, seed=1).branch("release"))
    in_roi = [group for group, text in enumerate(ROWS["in the ROI"]) if text == "yes"]
    blocks = [(z, y, 6 + group) for z in (0, 1) for y in (0, 1) for group in in_roi]
    run = runs.context(runs.pinned(with_roi(release, "roi", blocks), roi="roi", keep=[id_of("1.3")]), "first")
    (item,) = phase_named("segment").items(run)
    core = run.grid.subvolume_named(item).core
    labels = columns(ids_of("new local label"))[core.slices()].astype(np.uint32)
    folder = run.folder("segment")
    folder.commit_item(
        item, [folder.write_parts(item, LABELS, {CORE.name: CORE.encoded(labels)})], {"segments": int(labels.max())}
    )
    folder = run.folder("resolve")
    bodies = RegionItem(BODIES, 0, 0).name
    marker = folder.commit_item(bodies, [MAPPING.write(folder, bodies, MAPPING_SCHEMA.empty_table())], {})
    folder.commit_phase([marker], {})
    return run


def inherited_labels(node: Node) -> Node:
    """The labels that the segmented version holds, with mappings and indices; committed."""
    labelmap = Labelmap(node, SEGMENTATION)
    labelmap.create(1, VOXEL_NM)
    labels, bodies = columns(ids_of("inherited supervoxel")), columns(ids_of("inherited body"))
    write_brick(labelmap, 0, labels, (0, 0, 0))
    write_brick(labelmap, 1, downsample_labels(np.pad(labels, ((0, 64), (0, 64), (0, 64)))), (0, 0, 0))
    pairs = {int(s): int(b) for s, b in np.unique(np.stack([labels.ravel(), bodies.ravel()]), axis=1).T}
    post_mappings(labelmap, {b: np.array([s], np.uint64) for s, b in pairs.items() if s != b})
    rows = block_counts(labels, (0, 0, 0))
    of_rows = np.array([pairs[s] for s in rows.supervoxel.tolist()], np.uint64)
    post_indices(labelmap, IndexTable(rows.block, rows.supervoxel, of_rows, rows.count))
    labelmap.raise_max_label(int(labels.max()))
    labelmap.set_extents(WHOLE)
    node.commit("release")
    return node


def replaced_of(region: ReplacedRegion, block: tuple[int, int, int]) -> Mask:
    new = region.block(block)
    if new is None:
        return np.zeros((64, 64, 64), bool)
    return np.ones((64, 64, 64), bool) if new.replaced is None else new.replaced


@pytest.mark.services
def test_voxels_are_overwritten_and_named_as_in_the_example(run: RunContext[DvidServices]) -> None:
    """Kills each other way to read the example: what is replaced, what survives, who gets which id and which name."""
    assert run.cells == [1]
    region = ReplacedRegion(run, run.grid.subvolume(1), prepare_branch(run))
    replaced = np.concatenate([replaced_of(region, (0, 0, x)) for x in (3, 4, 5)], axis=2)
    expected = columns([int(text == "yes") for text in ROWS["replaced region"]]) > 0
    np.testing.assert_array_equal(replaced, expected[:, :, 192:384])

    run_phases("stitch", (phase_named("write"),), run, InProcess())
    labelmap = run.open_services().labelmap(run.keys["write"], SEGMENTATION)
    supervoxels, bodies = columns(ids_of("supervoxel afterwards")), columns(ids_of("body afterwards"))
    np.testing.assert_array_equal(labels_in(labelmap, WHOLE, True), supervoxels)
    np.testing.assert_array_equal(labels_in(labelmap, WHOLE, True, scale=1), downsample_labels(supervoxels))
    np.testing.assert_array_equal(labels_in(labelmap, WHOLE, False), bodies)
    check_indices_against_voxels(labelmap, WHOLE)

    folder = run.folder("write")
    substitutes = SUBSTITUTES.read_all(folder, folder.manifest())
    assert substitutes.to_pydict() == {"supervoxel": [id_of("1.1")] * 2, "name": [id_of("1.4")] * 2}  # in two bricks
