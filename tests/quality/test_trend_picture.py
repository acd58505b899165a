"""The picture of `emseg history --plot`."""

from __future__ import annotations

import pytest
from tests.quality.test_history import entry

from emseg.quality.trend_picture import _range, trend_picture

REFUSED = entry(2, 9.0, verdict_passed=False)


def test_a_refused_run_does_not_squash_the_others():
    """By hand: 0.9 to 1.4 of those that passed, and 15 % of it on both sides. Kills the axis of all runs."""
    known = [(each, each.measurements[0]) for each in (entry(0, 1.0), entry(1, 1.3), REFUSED)]
    assert _range(known) == pytest.approx((0.825, 1.475))
    assert _range(known[2:]) == pytest.approx((8.9 - 0.03, 9.1 + 0.03))
    assert _range([]) == (0.0, 0.15)


@pytest.mark.parametrize("entries", [[], [entry(0)], [entry(0), REFUSED, entry(3, groundtruth="h")]])
def test_any_history_is_drawn(entries):
    assert trend_picture(entries, "x" * 200).startswith(b"\x89PNG")
