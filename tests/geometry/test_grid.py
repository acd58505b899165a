"""The grid: cores tile the volume, overlaps are intersections of padded boxes, a cell is numbered by where it lies."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box, Grid

grids = st.builds(
    lambda start, shape, core, halo: Grid(
        Box.of_shape(shape, start), core, tuple(min(h, c) for h, c in zip(halo, core, strict=True))
    ),
    st.tuples(*[st.integers(-20, 20)] * 3),
    st.tuples(*[st.integers(1, 16)] * 3),
    st.tuples(*[st.integers(5, 12)] * 3),
    st.tuples(*[st.integers(0, 5)] * 3),
)


def cells(grid: Grid) -> range:
    return range(int(np.prod(grid.shape)))


@given(grids)
def test_cores_tile_the_volume_exactly_once(grid: Grid):
    """Kills a grid that loses the last, smaller cells or lets two cores share a voxel."""
    covered = np.zeros(grid.bounds.shape, int)
    for number in cells(grid):
        covered[grid.subvolume(number).core.slices(grid.bounds.start)] += 1
    assert (covered == 1).all()


@given(grids)
def test_neighbours_are_the_cells_whose_cores_touch(grid: Grid):
    """Oracle: all pairs. Kills index arithmetic that wraps around an edge of the grid."""
    for a, b in combinations(cells(grid), 2):
        first, second = grid.subvolume(a), grid.subvolume(b)
        touch = not first.core.grown((1, 1, 1)).clipped(second.core).is_empty
        assert (b in set(grid.neighbours(a))) == touch == (a in set(grid.neighbours(b)))


@given(grids)
def test_an_overlap_is_what_both_computed_and_its_interface_is_two_thick_across_what_is_shared(grid: Grid):
    for a in cells(grid):
        for b in grid.neighbours(a):
            overlap = grid.overlap(a, b)
            assert overlap.first.number < overlap.second.number
            assert overlap.region == overlap.first.padded.clipped(overlap.second.padded)
            crossing = [i for i in range(3) if overlap.first.cell[i] != overlap.second.cell[i]]
            for axis, thick in enumerate(overlap.interface.shape):
                assert thick == (2 if axis in crossing else overlap.first.core.shape[axis])
            for side in (overlap.first, overlap.second):
                own = overlap.interface.clipped(side.core)
                assert not own.is_empty
                assert [own.shape[i] for i in crossing] == [1] * len(crossing)


@given(grids, st.builds(Box.of_shape, st.tuples(*[st.integers(0, 15)] * 3), st.tuples(*[st.integers(-25, 25)] * 3)))
def test_cells_touching_a_box_are_those_whose_core_shares_a_voxel_with_it(grid: Grid, box: Box):
    expected = [n for n in cells(grid) if not grid.subvolume(n).core.clipped(box).is_empty]
    assert list(grid.cells_touching(box)) == expected


@given(grids)
def test_number_and_cell_are_inverse(grid: Grid):
    assert [grid.number_of(grid.cell_of(n)) for n in cells(grid)] == list(cells(grid))


def test_cells_are_anchored_at_voxel_zero_whatever_the_bounds():
    """Kills a grid anchored at the first voxel: another extent would shift every core off the DVID blocks."""
    grid = Grid(Box((70, 0, 0), (130, 64, 64)), (64, 64, 64), (0, 0, 0))
    assert [grid.subvolume(n).core.start[0] for n in (0, 1)] == [70, 128]


@pytest.mark.parametrize(("core", "halo"), [((64, 64, 64), (65, 0, 0)), ((64, 64, 64), (-1, 0, 0))])
def test_a_halo_larger_than_the_core_or_negative_is_refused(core, halo):
    with refused(PermanentError, core, halo):
        Grid(Box.of_shape((100, 100, 100)), core, halo)


def test_more_cells_than_ids_have_room_for_are_refused():
    with refused(PermanentError, 300**3, 2**24):
        Grid(Box.of_shape((64 * 300, 64 * 300, 64 * 300)), (64, 64, 64), (0, 0, 0))
