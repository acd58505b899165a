"""Boxes as options: `--box Z0,Y0,X0,Z1,Y1,X1`, voxels, half-open."""

from __future__ import annotations

from emseg.errors import PermanentError

Corners = tuple[int, int, int, int, int, int]


def corners_of(text: str, doing: str, option: str) -> Corners:
    """The six numbers of an option; PermanentError for anything else."""
    try:
        z0, y0, x0, z1, y1, x1 = map(int, text.split(","))
    except ValueError:
        raise PermanentError(
            doing, f"{option} {text}", "it is not six whole numbers", "Give Z0,Y0,X0,Z1,Y1,X1"
        ) from None
    return z0, y0, x0, z1, y1, x1
