"""A run over a released segmentation, inside a ROI with holes: what it replaces, and that nothing else is touched.

The release was worked on before it was committed: two bodies were merged by the server itself, and labels were added
beyond the edge of the volume, in blocks that the second run writes and in one that it does not. Oracles: the same
second run into an empty instance, the release as it was, numpy on what DVID returns, and DVID's own sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from tests.phases.runs_over import (
    MAX_SCALE,
    SEGMENTATION,
    VOXEL_NM,
    Runs,
    check_indices_against_voxels,
    check_one_to_one,
    labels_in,
    state,
    with_roi,
)
from tests.running import after

from emseg.array_types import Labels64, Mask
from emseg.config import RunSpec
from emseg.dvid import (
    DvidServer,
    IndexTable,
    Labelmap,
    Node,
    NodeLockedError,
    block_counts,
    downsample_labels,
    indexed_labels,
    indices,
    post_indices,
    write_brick,
)
from emseg.dvid.labels.block import pack_block
from emseg.geometry import Box
from emseg.phases.labelmaps import branch_name, segmentation_uuid

pytestmark = pytest.mark.services

SHAPE = (100, 150, 170)
WHOLE = Box((0, 0, 0), (128, 192, 384))
"""All blocks in use: those of the volume, and one beyond it in X."""
HOLES = {(0, 1, 1), (1, 1, 1), (0, 2, 0), (1, 0, 2)}
"""Subvolumes outside of the ROI."""
BEYOND = 40 << 24
"""Ids of no subvolume of the volume."""


@dataclass(frozen=True)
class Release:
    """The committed release, the node below it that holds the ROI, and two bodies that the server made one."""

    labelmap: Labelmap
    node: Node
    merged: tuple[int, int]


@pytest.fixture(scope="module")
def runs(server: DvidServer, tmp_path_factory) -> Runs:
    return Runs(server, tmp_path_factory.mktemp("over"), "over", (64, 64, 64))


@pytest.fixture(scope="module")
def old(runs: Runs) -> Release:
    release = runs.stitched(runs.pinned(runs.volume(SHAPE, seed=5)))
    merged = _merged_by_the_server(release)
    _labels_beyond_the_volume(release)
    release.node.commit("release")
    blocks = [
        (z, y, x)
        for z, y, x in np.ndindex(4, 6, 6)
        if (z // 2, y // 2, x // 2) not in HOLES  # a subvolume is 2 blocks of the ROI a side
    ]
    return Release(release, with_roi(release.node, "ring", blocks), merged)


def _merged_by_the_server(labelmap: Labelmap) -> tuple[int, int]:
    """Two large bodies made one, as a proofreader does; both reach into the hole and out of it."""
    bodies = labelmap.read(Box.of_shape(SHAPE))
    inside, outside = np.unique(bodies[:, 64:128, 64:128]), np.unique(bodies[:, :, :64])
    both = np.intersect1d(inside, outside)
    assert len(both) > 3
    keep, gone = int(both[1]), int(both[2])
    labelmap.node.server.post_json(labelmap.node.path(SEGMENTATION, "merge"), [keep, gone])
    return keep, gone


def _labels_beyond_the_volume(labelmap: Labelmap) -> None:
    """Labels64 past the last voxel in Y, in a column of blocks that the volume shares, and in a block of their own."""
    for scale in range(MAX_SCALE + 1):
        side = 64 >> scale
        column = labelmap.read(Box((0, 128 >> scale, 0), (64, (128 >> scale) + 64, 64)), supervoxels=True, scale=scale)
        column[:, (192 - 128) // 2 >> scale : side, :] = BEYOND | 1
        write_blocks_at(labelmap, scale, column, (0, (128 >> scale) // 64, 0))
        write_blocks_at(labelmap, scale, np.full((64, 64, 64), BEYOND | 2, np.uint64), (0, 0, 5 >> scale))
    rows = [(0, 2, 0, 1, 64 * 32 * 64), (0, 0, 5, 2, 64**3)]
    for z, y, x, local, count in rows:
        one = np.array([BEYOND | local], np.uint64)
        post_indices(labelmap, IndexTable(np.array([[z, y, x]], np.int32), one, one, np.array([count], np.uint32)))
    labelmap.raise_max_label(BEYOND | 2)
    labelmap.set_extents(WHOLE)


def write_blocks_at(labelmap: Labelmap, scale: int, voxels: Labels64, block: tuple[int, int, int]) -> None:
    labelmap.ingest_supervoxels(scale, [(block, pack_block(voxels))])


@pytest.fixture(scope="module")
def spec_of(old: Release, runs: Runs) -> Callable[[str], RunSpec]:
    """The second run: other supervoxels, inside the ring, into an instance."""
    return lambda instance: runs.pinned(old.node, instance, roi="ring", threshold=0.6)


@pytest.fixture(scope="module")
def fresh(spec_of, runs) -> Labelmap:
    """The second run into an instance of its own."""
    return runs.stitched(spec_of("fresh"))


@pytest.fixture(scope="module")
def over(spec_of, runs) -> Labelmap:
    """The second run over the release, killed three times: before it posts indices, mappings, and the largest label.

    The indices are there after the second time. In the third the mappings are, too.
    """
    spec = spec_of(SEGMENTATION)
    for attempt, sign in enumerate((0, 1, 2)):
        runs.killed(spec, f"killed-{attempt}", sign)
    return runs.stitched(spec)


@pytest.fixture(scope="module")
def replaced() -> Mask:
    """Which voxels of WHOLE lie in a selected subvolume, clipped to the volume."""
    mask = np.zeros(WHOLE.shape, bool)
    for z, y, x in np.ndindex(2, 3, 3):
        if (z, y, x) not in HOLES:
            mask[64 * z : 64 * z + 64, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64] = True
    mask[SHAPE[0] :] = mask[:, SHAPE[1] :] = mask[:, :, SHAPE[2] :] = False
    return mask


def whole(labelmap: Labelmap, scale: int, supervoxels: bool) -> Labels64:
    return labels_in(labelmap, WHOLE, supervoxels, scale)


@pytest.mark.parametrize("scale", range(MAX_SCALE + 1))
def test_every_voxel_is_the_new_one_inside_and_the_inherited_one_outside(old, over, fresh, replaced, scale):
    """Kills zeros around the ROI, whole border blocks taken over, and coarser scales computed over the edge."""
    inside = replaced[:: 1 << scale, :: 1 << scale, :: 1 << scale]
    before = whole(old.labelmap, scale, supervoxels=True)
    expected = np.where(inside, whole(fresh, scale, supervoxels=True), before)
    found = whole(over, scale, supervoxels=True)
    assert (before != expected)[inside].mean() > 0.2
    assert (before[inside] != 0).any()
    np.testing.assert_array_equal(found, expected)


def test_blocks_that_no_selected_subvolume_touches_are_the_very_ones_of_the_release(old, over):
    """Kills rewriting of blocks with the same voxels: the run's node must not even have them."""
    hole = Box((0, 1, 1), (2, 2, 2))
    assert dict(old.labelmap.stored_blocks(hole, 0)) == dict(over.stored_blocks(hole, 0))
    assert old.labelmap.read(Box((0, 64, 64), (64, 128, 128))).any()


def test_bodies_inside_are_the_new_ones_and_those_outside_are_cut_as_before(old, over, fresh, replaced):
    """Kills mappings of the release that catch new supervoxels, and inherited bodies that fall apart or are joined."""
    found, before = whole(over, 0, supervoxels=False), whole(old.labelmap, 0, False)
    np.testing.assert_array_equal(found[replaced], whole(fresh, 0, supervoxels=False)[replaced])
    check_one_to_one(before[~replaced], found[~replaced])
    names = np.unique(found[~replaced])
    assert len(np.intersect1d(np.unique(before[~replaced]), names)) > 1
    assert not np.isin(names[names > 0], found[replaced]).any()


def test_the_merge_of_a_proofreader_holds_outside(old, over, replaced):
    """The two bodies that the server merged are one in the hole; both had voxels there."""
    keep, gone = old.merged
    supervoxels = whole(old.labelmap, 0, supervoxels=True)
    of_merged = (whole(old.labelmap, 0, False) == keep) & ~replaced
    assert gone not in indexed_labels(old.labelmap)
    assert len(np.unique(supervoxels[of_merged])) > 1
    assert len(np.unique(whole(over, 0, False)[of_merged])) == 1


def test_sizes_and_blocks_of_every_body_are_those_of_the_voxels(over):
    """Kills stale indices of the release."""
    check_indices_against_voxels(over, WHOLE)


def test_extents_and_largest_label_cover_both(over):
    assert over.info().extents == WHOLE
    assert over.node.server.get_json(over.node.path(SEGMENTATION, "maxlabel")) == {"maxlabel": BEYOND | 2}


def test_the_release_is_as_it_was(old, over):
    assert not np.array_equal(whole(old.labelmap, 0, False), whole(over, 0, False))
    assert old.merged[0] in indexed_labels(old.labelmap)


def test_a_run_that_lost_its_markers_leaves_the_same_again(over, spec_of, runs):
    """Kills a retry that counts twice, and one that takes its own first try for inherited labels."""
    before, spec = state(over, WHOLE), spec_of(SEGMENTATION)
    runs.lose_markers(spec)
    post_indices(over, _another_index(over))
    assert state(over, WHOLE) != before
    runs.stitched(spec, "again")
    assert state(over, WHOLE) == before


def _another_index(labelmap: Labelmap) -> IndexTable:
    """What a try of another code may have left: a body of the run with one block and a wrong count."""
    table = indices(labelmap, [int(indexed_labels(labelmap)[0])])
    return IndexTable(table.block[:1], table.supervoxel[:1], table.body[:1], table.count[:1] + np.uint32(1))


def test_ids_of_labels_that_were_not_made_on_this_grid_are_not_given(old, runs):
    """Kills a run that gives ids which voxels outside the ROI hold already."""
    other = old.node.branch("foreign")
    labelmap = Labelmap(other, "foreign")
    labelmap.create(MAX_SCALE, VOXEL_NM)
    labels = np.zeros((128, 128, 128), np.uint64)
    labels[:64, 64:, 64:] = 5  # an id of subvolume 0 in the hole
    write_brick(labelmap, 0, labels, (0, 0, 0))
    write_brick(labelmap, 1, downsample_labels(labels), (0, 0, 0))
    post_indices(labelmap, block_counts(labels, (0, 0, 0)))
    labelmap.set_extents(Box.of_shape((128, 128, 128)))
    other.commit("somebody else's labels")
    run = runs.stitched(runs.pinned(other, "foreign", roi="ring", threshold=0.6))
    check_indices_against_voxels(run, WHOLE)
    new = run.read(Box.of_shape((128, 128, 128)), supervoxels=True)
    np.testing.assert_array_equal(new == 5, labels == 5)
    assert np.isin([1, 2, 3, 4, 7], new).all()


@pytest.mark.fault("F11")
def test_a_node_that_somebody_committed_meanwhile_is_named(spec_of, runs):
    """Kills a run that tries brick after brick, and one that takes a locked node for done."""
    run = after(runs.context(spec_of("locked"), "first"), "segment")
    node = Node(runs.server, run.spec.volume.node).branch(branch_name(run), uuid=segmentation_uuid(run))
    node.commit("too early")
    child = node.branch("went-on")
    with pytest.raises(NodeLockedError) as caught:
        after(run, "stitch")
    assert node.uuid in caught.value.on
    assert "'too early'" in caught.value.found
    assert child.uuid in caught.value.found
    assert run.folder("write").done_items() == frozenset()
    assert "locked" not in node.repo().instances
