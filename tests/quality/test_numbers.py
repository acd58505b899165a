"""How numbers are written."""

from __future__ import annotations

import pytest

from emseg.quality.numbers import number, percent, signed


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"), (-0.0, "0"), (-1e-12, "0"), (-0.00004, "-0.000040"), (0.0000321, "0.000032"), (0.12345, "0.1235"),
        (1.0, "1"), (12.34567, "12.346"), (123456.0, "123,456"), (123456.7, "123,457"), (-2.5, "-2.5000"),
        (None, "not measured"), (float("nan"), "not measured"),
    ],
)  # fmt: skip
def test_a_number_is_short_and_never_minus_nothing(value, written):
    """Kills `-0.0000`, and `0.0000` for a small change that is there."""
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.5, "+0.5000"), (-0.5, "-0.5000"), (-1e-12, "0"), (None, "not measured")]
)
def test_a_change_has_a_sign_unless_it_is_none(value, written):
    assert signed(value) == written


def test_a_share():
    shares = [percent(1, 3), percent(1, 0), percent(5, 5), percent(1, 10**9)]
    assert shares == ["33.3 %", "0 %", "100 %", "under 0.001 %"]
