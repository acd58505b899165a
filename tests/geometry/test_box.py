"""Boxes: half-open arithmetic, held against numpy index arithmetic."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emseg.geometry import Box, Coordinate

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
def test_two_boxes_joined_are_the_extent_of_their_voxels(a: Box, b: Box):
    """Kills a hull that is too large by a voxel, and one of the corners alone."""
    assume(not a.is_empty and not b.is_empty)
    both = np.array(sorted(voxels(a) | voxels(b)))
    assert a.joined(b) == b.joined(a) == Box(tuple(both.min(axis=0)), tuple(both.max(axis=0) + 1))


@given(small, small)
def test_a_box_contains_another_exactly_when_its_voxels_do(a: Box, b: Box):
    assert a.contains(b) == (voxels(b) <= voxels(a))


@given(st.builds(Box, corners, corners), multiples)
def test_covering_is_aligned_and_never_larger_than_needed(box: Box, multiple: tuple[int, int, int]):
    """Kills rounding towards zero, which is wrong below voxel 0."""
    covered = box.covering(multiple)
    assert not np.any(np.array([covered.start, covered.stop]) % multiple)
    for axis in range(3):
        assert covered.start[axis] <= box.start[axis] < covered.start[axis] + multiple[axis]
        assert covered.stop[axis] - multiple[axis] < box.stop[axis] <= covered.stop[axis]


@given(small)
def test_the_coordinates_of_a_box_are_its_voxels_in_the_order_of_numpy(box: Box):
    """Kills another order than that of memory: numbers of cells, and so of items, follow it."""
    offsets = np.argwhere(np.ones(box.shape, bool))
    assert list(box.coordinates()) == [tuple(at) for at in (offsets + np.array(box.start)).tolist()]


@given(st.builds(Box, corners, corners), multiples)
def test_finer_undoes_coarser_up_to_whole_units(box: Box, multiple: tuple[int, int, int]):
    coarse = box.coarser(multiple)
    assert coarse.finer(multiple) == box.covering(multiple)
    assert coarse.finer(multiple).coarser(multiple) == coarse


def test_plain_triples_and_coordinates_make_equal_boxes():
    """Kills a box that keeps what it is given: numbers of numpy would reach JSON, plain tuples would be repeated."""
    box = Box(np.array([1, 2, 3]), (4, 5, 6))
    assert box == Box(Coordinate(1, 2, 3), Coordinate(4, 5, 6))
    assert {type(corner) for corner in (box.start, box.stop, box.shape)} == {Coordinate}
    assert str(box) == "(1, 2, 3) to (4, 5, 6)"
    assert (hash(box), repr(box)) == (hash(Box((1, 2, 3), (4, 5, 6))), "Box(start=(1, 2, 3), stop=(4, 5, 6))")


def test_slices_cut_the_same_voxels_out_of_an_array_with_an_offset():
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    box = Box((11, 22, 33), (13, 25, 34))
    assert np.array_equal(array[box.slices((10, 20, 30))], array[1:3, 2:5, 3:4])


@pytest.mark.parametrize("shape", [(0, 3, 3), (3, 0, 3), (3, 3, 0)])
def test_a_box_without_extent_on_one_axis_is_empty(shape):
    assert Box.of_shape(shape).is_empty
    assert not Box.of_shape((1, 1, 1)).is_empty
