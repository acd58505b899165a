"""Finding the labels of one sub-block of a DVID label block, and the voxels of each as a mask of 512 bits."""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from emseg.kernels.lanes import prefetch, unlike
from emseg.kernels.sub_blocks import BLOCK_VOX, PER_AXIS, SUB_BLOCK_ROWS, SUB_VOX, origin

FEW = 64
"""Labels of a sub-block up to which comparing every voxel with every label is faster than sorting the voxels."""


@njit(nogil=True)
def room():  # type: ignore[no-untyped-def]
    """The arrays that `find_labels` writes: `others`, `found`, and `masks` as bytes, one for each row of a sub-block.

    `find_labels` takes the masks as words of 64 voxels.
    """
    others, masks = np.empty((PER_AXIS, SUB_VOX), np.uint64), np.empty((FEW, SUB_BLOCK_ROWS), np.uint8)
    return others, np.empty(FEW, np.uint64), masks


@njit(forceinline=True, nogil=True)
def find_labels(rows, sub, others, found, masks):  # type: ignore[no-untyped-def]
    """Find the labels of sub-block `sub` and return their number; more than `FEW` if there are too many.

    The caller goes through the sub-blocks in order. `found` becomes the labels in the order in which they are met;
    `masks` the voxels of each but the first, eight words of 64. `others` marks the voxels that have no label yet, of
    which any one gives the next label.
    """
    z, y, x = origin(sub)
    if x == 0:
        _compare_with_first(rows, z, y, others)
    found[0] = rows[z, y, x].voxels[0]
    number, plane = 1, _some_plane(others, x)
    while plane >= 0:
        if number == FEW:
            return FEW + 1
        voxel = trailing_zeros(others[x, plane])
        label = rows[z + plane, y + voxel // SUB_VOX, x].voxels[voxel % SUB_VOX]
        found[number] = label
        plane = -1
        for dz in range(SUB_VOX):
            left = unlike(rows, z + dz, y, x, np.uint64(label))
            masks[number, dz] = ~left
            left &= others[x, dz]
            others[x, dz] = left
            if left:
                plane = dz
        number += 1
    return number


@njit(nogil=True)
def _compare_with_first(rows, z, y, others):  # type: ignore[no-untyped-def]
    """Mark the voxels that differ from the first one of their sub-block, in eight sub-blocks along x.

    Memory is read in long runs this way. Meanwhile the processor fetches the next eight sub-blocks; after the last ones
    of a block it fetches some of the same block again.
    """
    next_z, next_y = (z, y + SUB_VOX) if y + SUB_VOX < BLOCK_VOX else ((z + SUB_VOX) % BLOCK_VOX, 0)
    for dz in range(SUB_VOX):
        for x in range(PER_AXIS):
            prefetch(rows, next_z + dz, next_y, x)
            others[x, dz] = unlike(rows, z + dz, y, x, np.uint64(rows[z, y, x].voxels[0]))


@njit(nogil=True)
def _some_plane(others, x):  # type: ignore[no-untyped-def]
    """A plane of sub-block `x` in which a voxel is marked; -1 if there is none."""
    plane = -1
    for dz in range(SUB_VOX):
        if others[x, dz]:
            plane = dz
    return plane
