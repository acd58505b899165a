"""New names for new supervoxels whose id an old one keeps: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.stages.renaming import IdsExhaustedError, Renaming

CELL = 3 << 24


def ids(*local: int) -> np.ndarray:
    return np.array([CELL | one for one in local], np.uint64)


def pairs(renaming: Renaming) -> list[tuple[int, int]]:
    table = (renaming.supervoxels - np.uint64(CELL), renaming.names - np.uint64(CELL))
    return list(zip(*(column.tolist() for column in table), strict=True))


@pytest.mark.parametrize(
    ("taken", "new", "expected"),
    [
        ((2, 3, 9), (1, 2, 3, 4), [(2, 10), (3, 11)]),  # above the largest old one
        ((2, 3), (1, 2, 3, 7), [(2, 8), (3, 9)]),  # above the largest new one
        ((7, 3, 2), (3, 2, 1), [(2, 8), (3, 9)]),  # in any order
        ((5, 6), (1, 2), []),
        ((), (1, 2), []),
        ((1, 2), (), []),
    ],
)
def test_only_what_is_taken_is_renamed_and_counted_up_from_the_largest_of_both(taken, new, expected):
    """Kills new names that are themselves taken, by an old supervoxel or by a new one."""
    assert pairs(Renaming.beside(ids(*taken), ids(*new))) == expected


def test_the_last_id_of_a_subvolume_is_given_and_none_of_the_next_one():
    """Kills names that run over into the neighbour's ids."""
    last = (1 << 24) - 1
    assert pairs(Renaming.beside(ids(1, last - 1), ids(1))) == [(1, last)]
    with pytest.raises(IdsExhaustedError, match=r"subvolume 3, largest id 67108862.*2 new supervoxels"):
        Renaming.beside(ids(1, 2, last - 1), ids(1, 2))


def test_names_are_applied_to_arrays_of_any_shape_and_taken_back():
    renaming = Renaming.beside(ids(2, 3, 9), ids(1, 2, 3))
    voxels = np.array([[0, CELL | 1, CELL | 2], [CELL | 3, CELL | 2, (4 << 24) | 2]], np.uint64)
    named = renaming.applied_to(voxels)
    expected = np.array([[0, CELL | 1, CELL | 10], [CELL | 11, CELL | 10, (4 << 24) | 2]], np.uint64)
    np.testing.assert_array_equal(named, expected)
    np.testing.assert_array_equal(renaming.reverse.applied_to(named), voxels)


def test_one_subvolume_in_several_bricks_is_one_renaming_and_survives_its_table():
    """Kills a supervoxel that is named once a brick."""
    one, other = Renaming.beside(ids(2, 3), ids(2, 3)), Renaming.beside(ids(5) + (1 << 24), ids(5) + (1 << 24))
    joined = Renaming.joined([other, one, one])
    assert joined.supervoxels.tolist() == [CELL | 2, CELL | 3, (4 << 24) | 5]
    assert joined.names.tolist() == [CELL | 4, CELL | 5, (4 << 24) | 6]
    again = Renaming.from_arrow(joined.to_arrow())
    np.testing.assert_array_equal(again.names, joined.names)
    assert len(Renaming.joined([]).names) == 0
