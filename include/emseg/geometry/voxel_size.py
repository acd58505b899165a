"""The size of a voxel: one check for the command line, dataset files, DVID and files of training data.

Example: `checked_voxel_size((8e-9, 8e-9, 8e-9), ...)` is refused, because somebody gave metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from emseg.errors import PermanentError

VoxelSize = tuple[float, float, float]
"""Edge lengths of a voxel in nanometres, Z, Y, X."""

SMALLEST_NM, LARGEST_NM = 0.01, 100_000.0
"""Edges that any microscope can mean: from well below an atom to 0.1 mm."""


def checked_voxel_size(
    size_nm: Sequence[float], doing: str, on: str, remedy: str = "Give it in nm, Z Y X"
) -> VoxelSize:
    """`size_nm` as three floats; PermanentError unless each is finite and a plausible number of nanometres."""
    size = _floats(size_nm, doing, on, remedy)
    if len(size) != 3:
        raise PermanentError(doing, on, f"the voxel size {size} has {len(size)} numbers", remedy)
    if not all(isfinite(edge) and edge > 0 for edge in size):
        raise PermanentError(doing, on, f"the voxel size is {size}: an edge must be finite and above 0", remedy)
    if not all(SMALLEST_NM <= edge <= LARGEST_NM for edge in size):
        raise PermanentError(
            doing,
            on,
            f"the voxel size is {size} nm: no edge can be below {SMALLEST_NM} or above {LARGEST_NM:.0f} nm",
            f"{remedy}; nanometres are metres times 1e9, or micrometres times 1000",
        )
    z, y, x = size
    return z, y, x


def same_voxel_size(a: VoxelSize, b: VoxelSize) -> bool:
    """Whether two sizes are one as DVID keeps them, in 32 bits: it keeps 8.333333333 nm and 8.333333 nm alike."""
    return all(np.float32(one) == np.float32(other) for one, other in zip(a, b, strict=True))


def _floats(size_nm: Sequence[float], doing: str, on: str, remedy: str) -> tuple[float, ...]:
    try:
        return tuple(float(edge) for edge in size_nm)
    except (TypeError, ValueError, OverflowError):
        raise PermanentError(doing, on, f"the voxel size is {size_nm!r:.80}: these are no numbers", remedy) from None
