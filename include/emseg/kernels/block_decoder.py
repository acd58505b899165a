"""The compiled pass that reads the voxels of a DVID label block; its twin is `plain/block_decoder.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.kernels.compiled import compiled
from emseg.kernels.sub_blocks import SUB_BLOCK_VOXELS, SUB_BLOCKS, SUB_VOX, bits_of, origin


@compiled
def fill_block(rows, sub_labels, numbers, values):  # type: ignore[no-untyped-def]
    """Write every voxel of a block; False if a value stands for no label of its sub-block.

    `rows` are the (64, 64, 8, 8) uint64 voxels to write: z, y, and eight rows of eight along x, wherever they lie.
    `sub_labels` are the labels of the first sub-block, of the second, and so on, uint64; `numbers` (512) says how many
    each has, int64 from 0 to 512; `values` are the packed values, uint8. The caller has checked all lengths. If False
    is returned some voxels are written, and they mean nothing.
    """
    labels = np.zeros(SUB_BLOCK_VOXELS, np.uint64)
    first, at = 0, 0
    for sub in range(SUB_BLOCKS):
        z, y, x = origin(sub)
        number = numbers[sub]
        bits = bits_of(number)
        labels[0] = 0
        for i in range(number):
            labels[i] = sub_labels[first + i]
        first += number
        if bits == 0:
            _fill_solid(rows, z, y, x, labels[0])
        elif bits <= SUB_VOX:
            if _unpack_rows(rows, z, y, x, labels, values[at:], bits) >= number:
                return False
        elif _unpack(rows, z, y, x, labels, values[at:], bits) >= number:
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
def _unpack_rows(rows, z, y, x, labels, values, bits):  # type: ignore[no-untyped-def]
    """Write the voxels of a sub-block with values of 1 to 8 bits, and return the largest value.

    A row of eight voxels has as many bytes as a value has bits. A value that stands for no label of its sub-block
    writes any label: `labels` has an entry for each value that the bits can say.
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
                value = eight & mask
                eight >>= width
                largest = max(largest, value)
                row[SUB_VOX - 1 - back] = labels[value]
    return largest


@njit(nogil=True)
def _unpack(rows, z, y, x, labels, values, bits):  # type: ignore[no-untyped-def]
    """`_unpack_rows` for values of 9 bits, which it reads one after the other."""
    largest = np.uint64(0)
    buffer, filled, at = np.uint64(0), 0, 0
    for i in range(SUB_BLOCK_VOXELS):
        while filled < bits:
            buffer = (buffer << np.uint64(8)) | np.uint64(values[at])
            at += 1
            filled += 8
        filled -= bits
        value = buffer >> np.uint64(filled)
        buffer &= np.uint64((1 << filled) - 1)
        largest = max(largest, value)
        rows[z + i // (SUB_VOX * SUB_VOX), y + i // SUB_VOX % SUB_VOX, x, i % SUB_VOX] = labels[value]
    return largest
