"""A voxel size is refused before anything is asked of a server, with the reason."""

from __future__ import annotations

from math import inf, nan

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import checked_voxel_size, same_voxel_size


def test_sizes_that_microscopes_give_go_through() -> None:
    assert checked_voxel_size((40, 4, 4), "", "") == (40.0, 4.0, 4.0)
    assert checked_voxel_size((0.05, 1.0713, 700), "", "") == (0.05, 1.0713, 700.0)


@pytest.mark.parametrize("wrong", [nan, inf, -inf, 0, -0.0, -8])
def test_what_is_no_size_is_refused(wrong: float) -> None:
    """Kills a comparison with 0 alone: nan is neither above nor below it."""
    with refused(PermanentError, "ingesting", "instance", "finite and above 0"):
        checked_voxel_size((8, wrong, 8), "ingesting", "instance")


@pytest.mark.parametrize("wrong", [8e-9, 8e-3, 1e6])
def test_another_unit_is_refused(wrong: float) -> None:
    with refused(PermanentError, "ingesting", "instance", "nanometres"):
        checked_voxel_size((wrong, wrong, wrong), "ingesting", "instance")


def test_two_numbers_are_no_size() -> None:
    with refused(PermanentError, "ingesting", "instance", "has 2 numbers"):
        checked_voxel_size((8, 8), "ingesting", "instance")


@pytest.mark.parametrize("wrong", [None, "abc", (8, None, 8), (8, "x", 8), (8, 10**400, 8)])
def test_what_is_no_number_is_refused(wrong: object) -> None:
    """Kills a TypeError or OverflowError of Python in place of words."""
    with refused(PermanentError, "ingesting", "instance", "no numbers"):
        checked_voxel_size(wrong, "ingesting", "instance")  # type: ignore[arg-type]


def test_sizes_are_compared_as_dvid_keeps_them() -> None:
    """Kills a comparison of all 64 bits, and one that takes 8 nm for 8.001 nm."""
    assert same_voxel_size((25, 8.333333333, 8.333333333), (25, 8.333333, 8.333333))
    assert same_voxel_size((30, 3.9873046875, 29.9), (30, 3.9873047, 29.9))
    assert not same_voxel_size((8, 8, 8), (8, 8, 8.001))
    assert not same_voxel_size((40, 8, 8), (8, 8, 40))
