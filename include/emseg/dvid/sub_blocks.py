"""The 8^3 sub-blocks of a DVID label block: how many, of which size, where each begins, the bits of their values."""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.lanes import LANES

BLOCK_VOX = 64
SUB_VOX = LANES
PER_AXIS = BLOCK_VOX // SUB_VOX
SUB_BLOCKS = PER_AXIS**3
SUB_BLOCK_ROWS = SUB_VOX**2
SUB_BLOCK_VOXELS = SUB_VOX**3
VOXELS = BLOCK_VOX**3
ROWS = {np.dtype(voxel): np.dtype([("voxels", voxel, (SUB_VOX,))]) for voxel in (np.uint32, np.uint64)}
"""Eight voxels along x: the longest run of memory that belongs to one sub-block."""


@njit(nogil=True)
def bits_of(number):  # type: ignore[no-untyped-def]
    """Bits of a value among so many labels."""
    bits = 0
    while (1 << bits) < number:
        bits += 1
    return bits


@njit(nogil=True)
def origin(sub):  # type: ignore[no-untyped-def]
    """Where the rows of a sub-block begin: z, y, and the one of eight rows along x."""
    return sub // (PER_AXIS * PER_AXIS) * SUB_VOX, sub // PER_AXIS % PER_AXIS * SUB_VOX, sub % PER_AXIS
