"""The size of a voxel: one check for the command line, dataset files, DVID and files of training data.

Example: `checked_voxel_size((8e-9, 8e-9, 8e-9), ...)` is refused, because somebody gave metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from emseg.errors import PermanentError

VoxelSize = tuple[float, float, float]
"""Edge lengths of a voxel in nanometres, Z, Y, X."""

SMALLEST_NM, LARGEST_NM = 0.01, 100_000.0
"""Edges that any microscope can mean: from well below an atom to 0.1 mm."""


def checked_voxel_size(size_nm: Sequence[float], doing: str, on: str) -> VoxelSize:
    """`size_nm` as three floats; PermanentError unless each is finite and a plausible number of nanometres."""
    size = tuple(float(edge) for edge in size_nm)
    if len(size) != 3:
        raise PermanentError(doing, on, f"the voxel size {size} has {len(size)} numbers", "Give three, nm, Z Y X")
    if not all(isfinite(edge) and edge > 0 for edge in size):
        raise PermanentError(
            doing, on, f"the voxel size is {size}: an edge must be finite and above 0", "Give it in nm, Z Y X"
        )
    if not all(SMALLEST_NM <= edge <= LARGEST_NM for edge in size):
        raise PermanentError(
            doing,
            on,
            f"the voxel size is {size} nm: no edge can be below {SMALLEST_NM} or above {LARGEST_NM:.0f} nm",
            "Give it in nanometres, Z Y X: multiply metres by 1e9, micrometres by 1000",
        )
    z, y, x = size
    return z, y, x
