"""The one place where emseg's Z, Y, X meets DVID's X, Y, Z."""

from __future__ import annotations

from collections.abc import Sequence

from emseg.geometry import Vec


def xyz_text(vec: Vec) -> str:
    """A ZYX tuple as DVID writes it in addresses, X first: `xyz_text((3, 2, 1)) == "1_2_3"`."""
    return "_".join(str(int(v)) for v in reversed(vec))


def zyx(values: Sequence[int]) -> Vec:
    """Three integers with the axes turned round: DVID's JSON `[x, y, z]` as a ZYX tuple, and the way back."""
    x, y, z = (int(v) for v in values)
    return z, y, x
