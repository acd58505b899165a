"""The compiled pass that makes a DVID label block; its form is told in `label_block.py`.

Nothing is sorted or searched by NumPy's names: behind `np.sort` and `np.argsort` Numba puts functions of the same
names, told apart by a number that counts up in each process, and one that comes from the disk may take the place of
another: labels came out unsorted.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from emseg.compiled import compiled
from emseg.dvid.sub_blocks import (
    BLOCK_VOX,
    PER_AXIS,
    SUB_BLOCK_ROWS,
    SUB_BLOCK_VOXELS,
    SUB_BLOCKS,
    SUB_VOX,
    VOXELS,
    bits_of,
    origin,
)
from emseg.lanes import mirrored, ones, prefetch, unlike

_FEW = 64
"""Labels of a sub-block up to which comparing every voxel with every label beats sorting the voxels."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASKS = np.unpackbits(np.arange(256, dtype=np.uint8)[None], 0, bitorder="little")
_SHIFTS = np.arange(SUB_VOX + 1)[:, None] * np.arange(SUB_VOX - 1, -1, -1)
_SPREAD = (1 << _SHIFTS).astype(np.uint64) @ _MASKS
"""[bits, mask]: eight values of so many bits, 1 for each voxel in the mask, most significant first."""


@compiled
def encoded_block(rows, ids):  # type: ignore[no-untyped-def]
    """The parts of a block from its (64, 64, 8) rows of eight voxels, wherever they lie.

    They are the labels, ascending; the voxels of each, uint32; the number of labels of each sub-block; the places of
    its labels; the packed values. Where there are `ids`, label `n` of the rows is `ids[n]` in the block: no two may be
    equal, and IndexError is raised where there is none. Most arrays go to helpers whole: a slice counts references,
    which takes as long as several rows.
    """
    numbers = np.empty(SUB_BLOCKS, np.uint16)
    locals_, counts = np.empty(VOXELS, np.uint64), np.empty(VOXELS, np.uint32)
    values = np.empty(SUB_BLOCKS * SUB_BLOCK_VOXELS * 9 // 8, np.uint8)
    value_words = values.view(np.uint64)
    others, found, masks = _room()
    words = masks.view(np.uint64)
    planes = np.empty((bits_of(_FEW), SUB_VOX), np.uint64)
    total, at = 0, 0
    for sub in range(SUB_BLOCKS):
        number = _find(rows, sub, others, found, words)
        if number > _FEW:
            number = _sort_and_pack(_voxels(rows, sub, ids), locals_[total:], counts[total:], values[at:])
        else:
            if ids is not None:
                for label in range(number):
                    found[label] = _id_of(found[label], ids)
            if number == 1:
                locals_[total], counts[total] = found[0], SUB_BLOCK_VOXELS
            elif number == 2:
                _pack_two(found, words, locals_, counts, total, value_words, at // 8)
            else:
                _rank(found, number, words, locals_, counts, total, planes)
                _pack(planes.view(np.uint8), bits_of(number), values, at)
        numbers[sub] = number
        total += number
        at += bits_of(number) * SUB_BLOCK_ROWS
    names, places = _names_and_places(locals_[:total])
    sums = np.zeros(len(names), np.uint32)
    for i in range(total):
        sums[places[i]] += counts[i]
    return names, sums, numbers, places, values[:at]


@njit(nogil=True)
def _names_and_places(locals_):  # type: ignore[no-untyped-def]
    """The distinct labels, ascending, and the place in them of each of `locals_`, uint32.

    A hash table of at least two slots a label counts the distinct ones before they are sorted.
    """
    bits = 4
    while (1 << bits) < 2 * len(locals_):
        bits += 1
    slots = np.full(1 << bits, -1, np.int32)
    found = np.empty(len(locals_), np.uint64)
    places = np.empty(len(locals_), np.uint32)
    number, place = 0, 0
    for i in range(len(locals_)):
        label = locals_[i]
        if i == 0 or label != found[place]:
            slot = np.int64((label * _GOLDEN) >> np.uint64(64 - bits))
            while slots[slot] >= 0 and found[slots[slot]] != label:
                slot = (slot + 1) & ((1 << bits) - 1)
            if slots[slot] < 0:
                slots[slot] = number
                found[number] = label
                number += 1
            place = slots[slot]
        places[i] = place
    names, rank = _ascending(found[:number]), np.empty(number, np.uint32)
    for i in range(number):
        rank[i] = _place(names, found[i])
    for i in range(len(places)):
        places[i] = rank[places[i]]
    return names, places


@njit(nogil=True)
def _ascending(labels):  # type: ignore[no-untyped-def]
    """A sorted copy, by heap sort."""
    heap = np.empty(len(labels), np.uint64)
    for i in range(len(labels)):
        heap[i] = labels[i]
    for root in range(len(heap) // 2 - 1, -1, -1):
        _sift(heap, heap[root], root, len(heap))
    for end in range(len(heap) - 1, 0, -1):
        label = heap[end]
        heap[end] = heap[0]
        _sift(heap, label, 0, end)
    return heap


@njit(nogil=True)
def _sift(heap, label, root, end):  # type: ignore[no-untyped-def]
    """Put `label` where it belongs in the heap below `root`, which ends before `end`."""
    child = 2 * root + 1
    while child < end:
        if child + 1 < end and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= label:
            break
        heap[root] = heap[child]
        root, child = child, 2 * child + 1
    heap[root] = label


@njit(nogil=True)
def _place(names, label):  # type: ignore[no-untyped-def]
    """Where `label` is in ascending `names` that hold it."""
    first, last = 0, len(names) - 1
    while first < last:
        middle = (first + last) // 2
        if names[middle] < label:
            first = middle + 1
        else:
            last = middle
    return first


@njit(nogil=True)
def _id_of(label, ids):  # type: ignore[no-untyped-def]
    if label >= len(ids):
        raise IndexError
    return ids[label]


@njit(nogil=True)
def _room():  # type: ignore[no-untyped-def]
    """The arrays that `_find` writes; the last one, which it sees as words of 64 voxels, as bytes, a row each."""
    others, masks = np.empty((PER_AXIS, SUB_VOX), np.uint64), np.empty((_FEW, SUB_BLOCK_ROWS), np.uint8)
    return others, np.empty(_FEW, np.uint64), masks


@njit(forceinline=True, nogil=True)
def _find(rows, sub, others, found, masks):  # type: ignore[no-untyped-def]
    """Find the labels of a sub-block; their number, or more than `_FEW` where there are too many.

    Sub-blocks must come in order. `found` are the labels as they are met; `masks` the voxels of each after the first,
    eight words of 64; `others` those without a label yet, of which any one gives the next.
    """
    z, y, x = origin(sub)
    if x == 0:
        _compare_with_first(rows, z, y, others)
    found[0] = rows[z, y, x].voxels[0]
    number, plane = 1, _some_plane(others, x)
    while plane >= 0:
        if number == _FEW:
            return _FEW + 1
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
    """Mark what differs from its sub-block's first voxel, in eight sub-blocks along x: read so, memory streams.

    The eight that come next are fetched meanwhile; after the last ones of a block, some of its own.
    """
    next_z, next_y = (z, y + SUB_VOX) if y + SUB_VOX < BLOCK_VOX else ((z + SUB_VOX) % BLOCK_VOX, 0)
    for dz in range(SUB_VOX):
        for x in range(PER_AXIS):
            prefetch(rows, next_z + dz, next_y, x)
            others[x, dz] = unlike(rows, z + dz, y, x, np.uint64(rows[z, y, x].voxels[0]))


@njit(nogil=True)
def _some_plane(others, x):  # type: ignore[no-untyped-def]
    """A plane with a voxel that is marked, -1 if there is none."""
    plane = -1
    for dz in range(SUB_VOX):
        if others[x, dz]:
            plane = dz
    return plane


@njit(nogil=True)
def _pack_two(found, words, names, counts, total, values, at):  # type: ignore[no-untyped-def]
    """`_rank` and `_pack` for two labels, which most sub-blocks have that are not of one: 64 values a word."""
    is_second_larger = found[0] < found[1]
    flip, seconds = np.uint64(0) if is_second_larger else ~np.uint64(0), 0
    for plane in range(SUB_VOX):
        values[at + plane] = mirrored(words[1, plane]) ^ flip
        seconds += ones(words[1, plane])
    first, second = (total, total + 1) if is_second_larger else (total + 1, total)
    names[first], counts[first] = found[0], SUB_BLOCK_VOXELS - seconds
    names[second], counts[second] = found[1], seconds


@njit(nogil=True)
def _rank(found, number, words, names, counts, total, planes):  # type: ignore[no-untyped-def]
    """Append the labels of a sub-block, ascending, and the voxels of each; `planes` become the bits of their places.

    Bit `j` of the place of each voxel is in row `j` of `planes`: eight words of 64 voxels, as those of each label.
    """
    bits = bits_of(number)
    for plane in range(SUB_VOX):
        rest = ~np.uint64(0)
        for label in range(1, number):
            rest &= ~words[label, plane]
        words[0, plane] = rest
        for bit in range(bits):
            planes[bit, plane] = 0
    for label in range(number):
        place, count = 0, 0
        for other in range(number):
            place += found[other] < found[label]
        for plane in range(SUB_VOX):
            count += ones(words[label, plane])
        for bit in range(bits):
            if place >> bit & 1:
                for plane in range(SUB_VOX):
                    planes[bit, plane] |= words[label, plane]
        names[total + place], counts[total + place] = found[label], count


@njit(nogil=True)
def _pack(planes, bits, values, at):  # type: ignore[no-untyped-def]
    """Write each row of eight voxels as the bytes that it has, from its byte in each of the planes; mostly two."""
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
def _voxels(rows, sub, ids):  # type: ignore[no-untyped-def]
    z, y, x = origin(sub)
    voxels = np.empty(SUB_BLOCK_VOXELS, np.uint64)
    for i in range(SUB_BLOCK_VOXELS):
        voxel = rows[z + i // SUB_BLOCK_ROWS, y + i // SUB_VOX % SUB_VOX, x].voxels[i % SUB_VOX]
        voxels[i] = voxel if ids is None else _id_of(voxel, ids)
    return voxels


@njit(nogil=True)
def _sort_and_pack(voxels, names, counts, values):  # type: ignore[no-untyped-def]
    """Write labels, ascending, voxels of each, and packed values of a sub-block of any number of labels: returned."""
    number = 0
    for label in _ascending(voxels):
        if number == 0 or label != names[number - 1]:
            names[number] = label
            counts[number] = 0
            number += 1
        counts[number - 1] += 1
    bits = bits_of(number)
    buffer, filled, at, place = 0, 0, 0, 0
    for i in range(SUB_BLOCK_VOXELS):
        if i == 0 or voxels[i] != voxels[i - 1]:
            place = _place(names[:number], voxels[i])
        buffer = ((buffer << bits) | place) & 0xFFFF
        filled += bits
        while filled >= 8:
            filled -= 8
            values[at] = (buffer >> filled) & 0xFF
            at += 1
    return number
