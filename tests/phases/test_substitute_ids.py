"""Substitute ids of new supervoxels whose default id is held: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.phases.write.substitute_ids import IdsExhaustedError, SubstituteIds

CELL = 3 << 24


def ids(*local: int) -> np.ndarray:
    return np.array([CELL | one for one in local], np.uint64)


def pairs(substitutes: SubstituteIds) -> list[tuple[int, int]]:
    table = (substitutes.default - np.uint64(CELL), substitutes.substitute - np.uint64(CELL))
    return list(zip(*(column.tolist() for column in table), strict=True))


@pytest.mark.parametrize(
    ("held", "default", "expected"),
    [
        ((2, 3, 9), (1, 2, 3, 4), [(2, 10), (3, 11)]),  # above the largest that is held
        ((2, 3), (1, 2, 3, 7), [(2, 8), (3, 9)]),  # above the largest default id
        ((7, 3, 2), (3, 2, 1), [(2, 8), (3, 9)]),  # in any order
        ((5, 6), (1, 2), []),
        ((), (1, 2), []),
        ((1, 2), (), []),
    ],
)
def test_only_held_ids_are_substituted_and_counted_up_from_the_largest_of_both(held, default, expected):
    """Kills substitutes that are themselves held, or the default id of another new supervoxel."""
    assert pairs(SubstituteIds.beside(ids(*held), ids(*default))) == expected


@pytest.mark.fault("F20")
def test_the_last_id_of_a_subvolume_is_given_and_none_of_the_next_one():
    """Kills substitutes that run over into the neighbour's ids."""
    last = (1 << 24) - 1
    assert pairs(SubstituteIds.beside(ids(1, last - 1), ids(1))) == [(1, last)]
    with pytest.raises(IdsExhaustedError) as caught:
        SubstituteIds.beside(ids(1, 2, last - 1), ids(1, 2))
    assert caught.value.on == f"subvolume 3, largest id {CELL | last - 1}"


def test_substitutes_are_applied_to_arrays_of_any_shape_and_taken_back():
    substitutes = SubstituteIds.beside(ids(2, 3, 9), ids(1, 2, 3))
    voxels = np.array([[0, CELL | 1, CELL | 2], [CELL | 3, CELL | 2, (4 << 24) | 2]], np.uint64)
    in_dvid = substitutes.applied_to(voxels)
    expected = np.array([[0, CELL | 1, CELL | 10], [CELL | 11, CELL | 10, (4 << 24) | 2]], np.uint64)
    np.testing.assert_array_equal(in_dvid, expected)
    np.testing.assert_array_equal(substitutes.reverse.applied_to(in_dvid), voxels)


def test_a_subvolume_in_several_bricks_has_its_substitutes_once_and_they_survive_their_table():
    """Kills a supervoxel that is listed once for each brick."""
    one, other = (
        SubstituteIds.beside(ids(2, 3), ids(2, 3)),
        SubstituteIds.beside(ids(5) + (1 << 24), ids(5) + (1 << 24)),
    )
    joined = SubstituteIds.joined([other, one, one])
    assert joined.default.tolist() == [CELL | 2, CELL | 3, (4 << 24) | 5]
    assert joined.substitute.tolist() == [CELL | 4, CELL | 5, (4 << 24) | 6]
    again = SubstituteIds.from_arrow(joined.to_arrow())
    np.testing.assert_array_equal(again.substitute, joined.substitute)
    assert len(SubstituteIds.joined([]).default) == 0
