"""Boxes: half-open arithmetic, held against numpy index arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emseg.geometry import Box

corners = st.tuples(*[st.integers(-40, 40)] * 3)
multiples = st.tuples(*[st.integers(1, 9)] * 3)


def voxels(box: Box) -> set[tuple[int, int, int]]:
    return {
        (z, y, x)
        for z in range(box.start[0], box.stop[0])
        for y in range(box.start[1], box.stop[1])
        for x in range(box.start[2], box.stop[2])
    }


small = st.builds(Box.of_shape, st.tuples(*[st.integers(0, 5)] * 3), st.tuples(*[st.integers(-4, 4)] * 3))


@given(small, small)
def test_clipping_is_the_intersection_of_the_voxel_sets(a: Box, b: Box):
    """Kills a clip that forgets an axis, and one that turns an empty result inside out."""
    assert voxels(a.clipped(b)) == voxels(a) & voxels(b)
    assert a.clipped(b).voxels == len(voxels(a) & voxels(b))


@given(small, small)
def test_a_box_contains_another_exactly_when_its_voxels_do(a: Box, b: Box):
    assert a.contains(b) == (voxels(b) <= voxels(a))


@given(st.builds(Box, corners, corners), multiples)
def test_covering_is_aligned_and_never_larger_than_needed(box: Box, multiple: tuple[int, int, int]):
    """Kills rounding towards zero, which is wrong below voxel 0."""
    covered = box.covering(multiple)
    assert covered.is_aligned(multiple)
    for axis in range(3):
        assert covered.start[axis] <= box.start[axis] < covered.start[axis] + multiple[axis]
        assert covered.stop[axis] - multiple[axis] < box.stop[axis] <= covered.stop[axis]


def test_slices_cut_the_same_voxels_out_of_an_array_with_an_offset():
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    box = Box((11, 22, 33), (13, 25, 34))
    assert np.array_equal(array[box.slices((10, 20, 30))], array[1:3, 2:5, 3:4])


@pytest.mark.parametrize("shape", [(0, 3, 3), (3, 0, 3), (3, 3, 0)])
def test_a_box_without_extent_on_one_axis_is_empty(shape):
    assert Box.of_shape(shape).is_empty
    assert not Box.of_shape((1, 1, 1)).is_empty
