"""Voxels that DVID cannot keep or serve are refused before anything is asked of a server."""

from __future__ import annotations

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import LIMIT_VOX, Box, checked_box, placed_box

ON = ("ingesting", "instance")


def test_a_volume_lies_where_its_first_voxel_is_put() -> None:
    assert placed_box((2, 3, 4), (10, 0, 5), *ON) == Box((10, 0, 5), (12, 3, 9))
    last = placed_box((1, 1, 1), (LIMIT_VOX - 1,) * 3, *ON)
    assert last.stop == (2**26,) * 3


@pytest.mark.parametrize(
    ("shape", "offset", "found"),
    [
        ((4, 4, 4), (0, 0, -1), (0, 0, -1)),
        ((4, 4, 4), (0, -(2**70), 0), "below 0"),
        ((4, 4, 4), (0, 0, 2**26 - 3), 2**26),
        ((4, 4, 2**70), (0, 0, 0), 2**26),
        ((4, 0, 4), (0, 0, 0), (4, 0, 4)),
        ((4, -4, 4), (0, 0, 0), (4, -4, 4)),
        ((4, 4, 4), (0, 0.5, 0), 0.5),
        ((4, 4, 4), (0, float("nan"), 0), "whole numbers"),
        ((4, 4, 4), (0, 0), "three whole numbers"),
        ((4, 4, 4), None, "None"),
    ],
)
def test_what_dvid_cannot_keep_is_refused(shape, offset, found) -> None:
    """Kills a check of the first corner alone, and fractions that are cut off in silence."""
    with refused(PermanentError, *ON, found):
        placed_box(shape, offset, *ON)


@pytest.mark.parametrize("box", [Box((-1, 0, 0), (5, 5, 5)), Box((0, 0, 0), (5, 0, 5)), Box((0, 0, 0), (1, 1, 2**27))])
def test_extents_that_others_wrote_are_refused_with_the_remedy_of_the_caller(box: Box) -> None:
    with refused(PermanentError, *ON, box.start, box.stop, "Ingest it again"):
        checked_box(box, *ON, "Ingest it again")
