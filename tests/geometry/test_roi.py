"""Regions of interest: held against a dense boolean volume."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emseg.geometry import Box, Grid, Roi

BLOCK = 4
blocks = st.lists(st.tuples(*[st.integers(-3, 3)] * 3), max_size=12)
boxes = st.builds(Box.of_shape, st.tuples(*[st.integers(0, 9)] * 3), st.tuples(*[st.integers(-14, 10)] * 3))
SPACE = Box((-16, -16, -16), (20, 20, 20))


def dense(roi: Roi) -> np.ndarray:
    volume = np.zeros(SPACE.shape, bool)
    for block in roi.blocks:
        start = tuple(int(i) * BLOCK for i in block)
        volume[Box.of_shape((BLOCK,) * 3, start).slices(SPACE.start)] = True
    return volume


@given(blocks, boxes)
def test_the_mask_of_a_box_is_that_part_of_the_dense_region(chosen, box):
    """Kills a mask that is off by a block below zero or at a box that starts inside a block."""
    roi = Roi.of_blocks(chosen, BLOCK)
    expected = dense(roi)[box.slices(SPACE.start)]
    assert np.array_equal(roi.mask(box), expected)
    assert roi.touches(box) == bool(expected.any())


@given(blocks, st.tuples(*[st.integers(2, 9)] * 3))
def test_chosen_cells_are_those_that_hold_a_voxel_of_the_region(chosen, core):
    """Kills the shortcut of taking only the cell of a block's first voxel."""
    roi = Roi.of_blocks(chosen, BLOCK)
    grid = Grid(Box((-10, -7, -9), (12, 11, 13)), core, (0, 0, 0))
    everything = range(int(np.prod(grid.shape)))
    assert roi.cells_of(grid) == [n for n in everything if roi.mask(grid.subvolume(n).core).any()]


@given(blocks)
def test_equal_regions_have_equal_digests_in_whatever_order_their_blocks_come(chosen):
    assert Roi.of_blocks(chosen, BLOCK).digest == Roi.of_blocks([*chosen[::-1], *chosen], BLOCK).digest


def test_another_block_size_is_another_region():
    assert Roi.of_blocks([(0, 0, 0)], 32).digest != Roi.of_blocks([(0, 0, 0)], 64).digest


def test_bounds_are_the_voxels_from_the_first_block_to_the_last():
    roi = Roi.of_blocks([(-1, 0, 1), (0, 0, 0)], BLOCK)
    assert roi.bounds == Box((-4, 0, 0), (4, 4, 8))
    assert Roi.of_blocks([], BLOCK).bounds.is_empty


def test_the_roi_holds_the_points_that_its_mask_says() -> None:
    """Kills blocks below 0 rounded to 0, turned axes, and points beyond all blocks."""
    roi = Roi.of_blocks([[-1, 0, 0], [0, 0, 1], [0, 2, 1], [1, 0, 3]], 16)
    box = Box((-20, -5, -3), (40, 50, 70))
    points = np.random.default_rng(1).integers(box.start, box.stop, (500, 3))
    expected = roi.mask(box)[tuple((points - np.array(box.start)).T)]
    np.testing.assert_array_equal(roi.holds(points), expected)
    assert 0 < expected.sum() < 500
    assert roi.holds(points[:0]).shape == (0,)
