"""New labels laid over old ones by a mask: worked by hand, scale after scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.util import view_as_blocks

from emseg.dvid import Labelmap, OldLabels, coarser, downsample_labels, kept_supervoxels, write_brick
from emseg.geometry import Box

SIDES = st.sampled_from([2, 4, 6])
ONE_BLOCK = Box((0, 0, 0), (1, 1, 1))


def cube(label: int) -> np.ndarray:
    return np.full((64, 64, 64), label, np.uint64)


@given(hnp.arrays(np.bool_, st.tuples(SIDES, SIDES, SIDES)))
def test_a_coarser_voxel_changes_where_any_of_its_eight_does(mask: np.ndarray) -> None:
    """Oracle: scikit-image's blocks. Kills a corner rule, an `all`, a swapped axis."""
    np.testing.assert_array_equal(coarser(mask), view_as_blocks(mask, (2, 2, 2)).any(axis=(3, 4, 5)))


def test_changed_voxels_are_new_and_the_others_old_at_both_scales() -> None:
    """One changed voxel of eight is outvoted by seven old ones; where nothing changes, the old coarse label stays even
    if it is not the mode. Kills coarser labels made from the new ones alone, and made anew where nothing changed.
    """
    changed = np.zeros((64, 64, 64), bool)
    changed[0, 0, 0] = True
    changed[4:6, 0:2, 0:2] = True
    merged = np.where(changed, cube(5), 0).astype(np.uint64)
    OldLabels(ONE_BLOCK, {(0, 0, 0): ""}, cube(7)).fill_unchanged(merged, changed)
    assert [int(n) for n in np.bincount(merged.ravel().astype(int))[[5, 7]]] == [9, 64**3 - 9]
    old_coarse = np.full((32, 32, 32), 8, np.uint64)
    coarse = downsample_labels(merged)
    OldLabels(ONE_BLOCK, {}, old_coarse).fill_unchanged(coarse, coarser(changed))
    expected = old_coarse.copy()
    expected[0, 0, 0], expected[2, 0, 0] = 7, 5
    np.testing.assert_array_equal(coarse, expected)


def test_where_an_ancestor_has_nothing_unchanged_voxels_stay_empty() -> None:
    """Kills a coarser scale that is filled from finer old labels where the ancestor has none at that scale."""
    changed = np.zeros((64, 64, 64), bool)
    changed[0] = True
    labels = cube(7)
    OldLabels(ONE_BLOCK, {}, None).fill_unchanged(labels, changed)
    assert (labels[0] == 7).all()
    assert not labels[1:].any()


def test_counted_are_the_old_voxels_that_give_way() -> None:
    changed = np.zeros((64, 64, 64), bool)
    changed[:2] = True
    labels = cube(7)
    labels[1] = 0
    table = OldLabels(ONE_BLOCK, {(0, 0, 0): ""}, labels).counts_in(changed)
    assert (table.supervoxel.tolist(), table.count.tolist()) == ([7], [64 * 64])
    assert len(OldLabels(ONE_BLOCK, {}, None).counts_in(changed)) == 0


def test_counts_come_in_the_order_of_blocks_whatever_order_the_server_gave_them_in() -> None:
    """Kills a table that differs between two attempts at one brick."""
    labels, changed = np.concatenate([cube(7), cube(8)], axis=2), np.ones((64, 64, 128), bool)
    tables = [
        OldLabels(Box((5, 6, 7), (6, 7, 9)), dict.fromkeys(order, ""), labels).counts_in(changed)
        for order in ([(5, 6, 7), (5, 6, 8)], [(5, 6, 8), (5, 6, 7)])
    ]
    assert [table.supervoxel.tolist() for table in tables] == [[7, 8], [7, 8]]
    assert tables[1].block.tolist() == [[5, 6, 7], [5, 6, 8]]


def test_written_are_blocks_with_a_changed_voxel_and_of_the_empty_ones_those_that_hide_something() -> None:
    """Blocks from left to right: unchanged; new label; emptied; empty as before. Kills zeros over nothing."""
    box = Box((5, 6, 7), (6, 7, 11))
    labels = np.concatenate([cube(1), cube(2), cube(0), cube(0)], axis=2)
    changed = np.zeros(labels.shape, bool)
    changed[0, 0, 64:] = True
    blocks = OldLabels(box, {(5, 6, 7): "", (5, 6, 9): ""}, None).blocks_to_write(labels, changed)
    assert sorted(blocks) == [(5, 6, 8), (5, 6, 9)]
    assert (blocks[5, 6, 8] == 2).all()


@pytest.mark.services
def test_kept_supervoxels_are_those_with_a_voxel_that_does_not_change(labelmap: Labelmap) -> None:
    """Kills ids of whole blocks, ids beyond the box, and 0."""
    labels = np.concatenate([cube(1), cube(2), cube(3)], axis=2)
    labels[:, :, 64:96] = 4
    labels[0] = 0
    write_brick(labelmap, 0, labels, (0, 0, 0))
    box = Box((0, 0, 0), (64, 64, 128))
    changed = np.ones(box.shape, bool)
    assert kept_supervoxels(labelmap, box, changed).tolist() == []
    changed[0] = False
    assert kept_supervoxels(labelmap, box, changed).tolist() == []
    changed[63, 63, [63, 127]] = False
    assert kept_supervoxels(labelmap, box, changed).tolist() == [1, 2]
