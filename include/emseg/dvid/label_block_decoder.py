"""The compiled pass that reads a DVID label block; its form is told in `label_block.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.compiled import compiled
from emseg.dvid.sub_blocks import SUB_BLOCK_VOXELS, SUB_BLOCKS, SUB_VOX, bits_of, origin


@compiled
def fill_block(rows, locals_, numbers, values):  # type: ignore[no-untyped-def]
    """Write every voxel; False where a value lies outside its sub-block's labels. Lengths were checked before.

    `rows` are the (64, 64, 8, 8) voxels of a block: z, y, and eight rows of eight along x.
    """
    names = np.zeros(SUB_BLOCK_VOXELS, np.uint64)
    first, at = 0, 0
    for sub in range(SUB_BLOCKS):
        z, y, x = origin(sub)
        number = numbers[sub]
        bits = bits_of(number)
        names[0] = 0
        for i in range(number):
            names[i] = locals_[first + i]
        first += number
        if bits == 0:
            _fill_solid(rows, z, y, x, names[0])
        elif bits <= SUB_VOX:
            if _unpack_rows(rows, z, y, x, names, values[at:], bits) >= number:
                return False
        elif _unpack(rows, z, y, x, names, values[at:], bits) >= number:
            return False
        at += bits * SUB_BLOCK_VOXELS // 8
    return True


@njit(nogil=True)
def _fill_solid(rows, z, y, x, label):  # type: ignore[no-untyped-def]
    for dz in range(SUB_VOX):
        for dy in range(SUB_VOX):
            row = rows[z + dz, y + dy, x]
            for dx in range(SUB_VOX):
                row[dx] = label


@njit(nogil=True)
def _unpack_rows(rows, z, y, x, names, values, bits):  # type: ignore[no-untyped-def]
    """Write the voxels of one sub-block with values of up to 8 bits: a row of eight is as many bytes as bits.

    The largest value is returned; one that stands for no label of the sub-block writes anything: `names` has room for
    all that can be said.
    """
    mask, width = np.uint64((1 << bits) - 1), np.uint64(bits)
    largest = np.uint64(0)
    at = 0
    for dz in range(SUB_VOX):
        for dy in range(SUB_VOX):
            eight = np.uint64(0)
            for byte in range(bits):
                eight = (eight << np.uint64(8)) | np.uint64(values[at + byte])
            at += bits
            row = rows[z + dz, y + dy, x]
            for back in range(SUB_VOX):
                place = eight & mask
                eight >>= width
                largest = max(largest, place)
                row[SUB_VOX - 1 - back] = names[place]
    return largest


@njit(nogil=True)
def _unpack(rows, z, y, x, names, values, bits):  # type: ignore[no-untyped-def]
    """`_unpack_rows` for values of 9 bits, one after the other."""
    largest = np.uint64(0)
    buffer, filled, at = np.uint64(0), 0, 0
    for i in range(SUB_BLOCK_VOXELS):
        while filled < bits:
            buffer = (buffer << np.uint64(8)) | np.uint64(values[at])
            at += 1
            filled += 8
        filled -= bits
        place = buffer >> np.uint64(filled)
        buffer &= np.uint64((1 << filled) - 1)
        largest = max(largest, place)
        rows[z + i // (SUB_VOX * SUB_VOX), y + i // SUB_VOX % SUB_VOX, x, i % SUB_VOX] = names[place]
    return largest
