"""The grid of a DVID label block: 64^3 voxels, cut into 512 sub-blocks of 8^3 voxels.

For example, sub-block 10 is in the first layer (z), the second row of it (y), and the third along x: its voxels begin
at (0, 8, 16). Sub-blocks are counted with z slowest and x fastest, and so are the voxels in each. What the bytes of a
block say of its sub-blocks is told in `dvid/labels/block.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK_VOX = 64
"""Side of a block. DVID stores labels in blocks of this side, and its server dies when it is given another."""
SUB_VOX = 8
"""Side of a sub-block: the other constant of DVID's format, and part of every block that any server has stored.

The passes compare a row of a sub-block at once, so they need vectors of as many voxels (`lanes.LANES`). A test holds
that the two are equal; where they are not, it is the passes that must change.
"""
PER_AXIS = BLOCK_VOX // SUB_VOX
SUB_BLOCKS = PER_AXIS**3
SUB_BLOCK_ROWS = SUB_VOX**2
SUB_BLOCK_VOXELS = SUB_VOX**3
VOXELS = BLOCK_VOX**3
ROWS = {np.dtype(voxel): np.dtype([("voxels", voxel, (SUB_VOX,))]) for voxel in (np.uint32, np.uint64)}
"""A row of a sub-block, eight voxels along x, by the dtype of a voxel: the longest run of memory in one sub-block."""


@njit(nogil=True)
def bits_of(number):  # type: ignore[no-untyped-def]
    """Bits of a value that tells `number` labels apart: 0 for 1, 1 for 2, 2 for 3 and 4, ... 9 for 257 to 512."""
    bits = 0
    while (1 << bits) < number:
        bits += 1
    return bits


@njit(nogil=True)
def origin(sub):  # type: ignore[no-untyped-def]
    """Where the rows of sub-block `sub` begin: z, y, and the index along x of its rows (0 to 7): (0, 8, 2) for 10."""
    return sub // (PER_AXIS * PER_AXIS) * SUB_VOX, sub // PER_AXIS % PER_AXIS * SUB_VOX, sub % PER_AXIS
