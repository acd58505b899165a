"""How pages and sentences write numbers: short, with as many digits as tell something, and no sign where it says 0."""

from __future__ import annotations

from math import floor, isfinite, log10

_MOST_DECIMALS = 9
_SMALLEST_PERCENT = 0.001


def number(value: float | None) -> str:
    """Five digits above 1, four decimals below, two digits of what is smaller than that.

    12.34567 is `12.346`, 0.12345 is `0.1235`, 0.0000321 is `0.000032`, 123456.0 is `123,456`, -1e-12 is `0`.
    """
    if value is None or not isfinite(value):
        return "not measured"
    if value.is_integer():
        return f"{value + 0:,.0f}"  # -0.0 + 0 is 0.0
    size = floor(log10(abs(value)))
    decimals = 4 - size if size >= 0 else max(4, 1 - size)
    text = f"{value:,.{min(max(decimals, 0), _MOST_DECIMALS)}f}"
    return "0" if float(text.replace(",", "")) == 0 else text


def signed(value: float | None) -> str:
    """The same with `+` before what is above 0."""
    text = number(value)
    return f"+{text}" if value is not None and text[0].isdigit() and text != "0" else text


def voxel(position_vox: tuple[int, int, int]) -> str:
    """A position: `z 31, y 138, x 140`."""
    return ", ".join(f"{axis} {at:,}" for axis, at in zip("zyx", position_vox, strict=True))


def percent(part: float, whole: float) -> str:
    """A share with three digits: `1.4 %`; `0 %` of nothing."""
    share = 100 * part / whole if whole else 0.0
    return f"{share:.3g} %" if share == 0 or share >= _SMALLEST_PERCENT else f"under {_SMALLEST_PERCENT} %"
