"""The labels of one sub-block of a DVID label block in ascending order, and the packed value of each voxel."""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.kernels.lanes import mirrored, ones
from emseg.kernels.sorting import ascending, index_in
from emseg.kernels.sub_blocks import SUB_BLOCK_ROWS, SUB_BLOCK_VOXELS, SUB_VOX, bits_of, origin

_MASKS = np.unpackbits(np.arange(256, dtype=np.uint8)[None], 0, bitorder="little")
_SHIFTS = np.arange(SUB_VOX + 1)[:, None] * np.arange(SUB_VOX - 1, -1, -1)
_SPREAD = (1 << _SHIFTS).astype(np.uint64) @ _MASKS
"""[bits, mask]: eight values of so many bits, 1 for each voxel in the mask and else 0, the first voxel in the highest
bits: `_SPREAD[2, 0b00000001]` is 0b0100000000000000."""


@njit(nogil=True)
def pack_two(found, masks, labels, counts, total, values, at):  # type: ignore[no-untyped-def]
    """`rank` and `pack` for two labels, which most sub-blocks have that have more than one: 64 values a word."""
    is_second_larger = found[0] < found[1]
    flip, seconds = np.uint64(0) if is_second_larger else ~np.uint64(0), 0
    for plane in range(SUB_VOX):
        values[at + plane] = mirrored(masks[1, plane]) ^ flip
        seconds += ones(masks[1, plane])
    first, second = (total, total + 1) if is_second_larger else (total + 1, total)
    labels[first], counts[first] = found[0], SUB_BLOCK_VOXELS - seconds
    labels[second], counts[second] = found[1], seconds


@njit(nogil=True)
def rank(found, number, masks, labels, counts, total, planes):  # type: ignore[no-untyped-def]
    """Write the labels of a sub-block, ascending, and the voxels of each, from index `total` of `labels` and `counts`.

    Row `j` of `planes` becomes bit `j` of the value of every voxel: eight words of 64 voxels, like a mask of `masks`.
    """
    bits = bits_of(number)
    for plane in range(SUB_VOX):
        rest = ~np.uint64(0)
        for label in range(1, number):
            rest &= ~masks[label, plane]
        masks[0, plane] = rest
        for bit in range(bits):
            planes[bit, plane] = 0
    for label in range(number):
        value, count = 0, 0
        for other in range(number):
            value += found[other] < found[label]
        for plane in range(SUB_VOX):
            count += ones(masks[label, plane])
        for bit in range(bits):
            if value >> bit & 1:
                for plane in range(SUB_VOX):
                    planes[bit, plane] |= masks[label, plane]
        labels[total + value], counts[total + value] = found[label], count


@njit(nogil=True)
def pack(planes, bits, values, at):  # type: ignore[no-untyped-def]
    """Write the values from index `at` on: a row of eight voxels, a byte in each plane, takes as many bytes as bits.

    Most sub-blocks with more than two labels have values of 2 bits.
    """
    if bits == 2:
        for row in range(SUB_BLOCK_ROWS):
            both = _SPREAD[2, planes[0, row]] | _SPREAD[2, planes[1, row]] << np.uint64(1)
            values[at + 2 * row] = np.uint8(both >> np.uint64(8))
            values[at + 2 * row + 1] = np.uint8(both)
        return
    for row in range(SUB_BLOCK_ROWS):
        eight = _SPREAD[bits, planes[0, row]]
        for bit in range(1, bits):
            eight |= _SPREAD[bits, planes[bit, row]] << np.uint64(bit)
        for byte in range(bits):
            values[at + bits * row + byte] = np.uint8(eight >> np.uint64(8 * (bits - 1 - byte)))


@njit(nogil=True)
def id_of(label, ids):  # type: ignore[no-untyped-def]
    """`ids[label]`; `IndexError` if there is none."""
    if label >= len(ids):
        raise IndexError
    return ids[label]


@njit(nogil=True)
def voxels_of(rows, sub, ids):  # type: ignore[no-untyped-def]
    """The 512 voxels of a sub-block, uint64; where there are `ids`, the ids of them."""
    z, y, x = origin(sub)
    voxels = np.empty(SUB_BLOCK_VOXELS, np.uint64)
    for i in range(SUB_BLOCK_VOXELS):
        voxel = rows[z + i // SUB_BLOCK_ROWS, y + i // SUB_VOX % SUB_VOX, x].voxels[i % SUB_VOX]
        voxels[i] = voxel if ids is None else id_of(voxel, ids)
    return voxels


@njit(nogil=True)
def sort_and_pack(voxels, labels, counts, values):  # type: ignore[no-untyped-def]
    """Write the labels of a sub-block, ascending, the voxels of each and the values; return the number of labels.

    It takes any number of labels, and is slower than `rank` and `pack` for few.
    """
    number = 0
    for label in ascending(voxels):
        if number == 0 or label != labels[number - 1]:
            labels[number] = label
            counts[number] = 0
            number += 1
        counts[number - 1] += 1
    bits = bits_of(number)
    buffer, filled, at, value = 0, 0, 0, 0
    for i in range(SUB_BLOCK_VOXELS):
        if i == 0 or voxels[i] != voxels[i - 1]:
            value = index_in(labels[:number], voxels[i])
        buffer = ((buffer << bits) | value) & 0xFFFF
        filled += bits
        while filled >= 8:
            filled -= 8
            values[at] = (buffer >> filled) & 0xFF
            at += 1
    return number
