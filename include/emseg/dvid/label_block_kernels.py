"""The compiled passes of DVID's label block; its form is told in `label_block.py`.

Only the two functions that Python calls are cached on disk. Were their helpers, too, Numba could join helpers of two
versions of this file after one was put back, and encode wrong labels: it did.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK_VOX = 64
SUB_VOX = 8
PER_AXIS = BLOCK_VOX // SUB_VOX
SUB_BLOCKS = PER_AXIS**3
SUB_BLOCK_VOXELS = SUB_VOX**3
VOXELS = BLOCK_VOX**3
ROW = np.dtype([("voxels", np.uint64, (SUB_VOX,))])
"""Eight voxels along x: the longest run of memory that belongs to one sub-block."""
_MANY_RUNS = 128
_FEW = 16
"""Labels of a sub-block up to which comparing every voxel with every label beats looking labels up."""
_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)
_EVEN_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_EVEN_QUADS = np.uint64(0x00000000FFFFFFFF)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def encoded_block(rows):  # type: ignore[no-untyped-def]
    """The block after its first 12 bytes, uint8, from its (64, 64, 8) rows of eight voxels, wherever they lie."""
    numbers, locals_, values = _sub_blocks(rows)
    names, places = _names_and_places(locals_)
    at = 4 + 8 * len(names)
    solid = len(names) == 1
    data = np.empty(at if solid else at + 2 * SUB_BLOCKS + 4 * len(places) + len(values), np.uint8)
    data[:4].view(np.uint32)[0] = len(names)
    data[4:at] = names.view(np.uint8)
    if not solid:
        data[at : at + 2 * SUB_BLOCKS] = numbers.view(np.uint8)
        at += 2 * SUB_BLOCKS
        data[at : at + 4 * len(places)] = places.view(np.uint8)
        data[at + 4 * len(places) :] = values
    return data


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
    order = np.argsort(found[:number])
    rank = np.empty(number, np.uint32)
    for i in range(number):
        rank[order[i]] = i
    for i in range(len(places)):
        places[i] = rank[places[i]]
    return found[order], places


@njit(nogil=True)
def _sub_blocks(rows):  # type: ignore[no-untyped-def]
    """Per sub-block: number of labels; its labels, ascending; its packed values (none for a solid one)."""
    numbers = np.empty(SUB_BLOCKS, np.uint16)
    locals_ = np.empty(VOXELS, np.uint64)
    values = np.empty(SUB_BLOCKS * SUB_BLOCK_VOXELS * 9 // 8, np.uint8)
    strip = np.empty((PER_AXIS, SUB_BLOCK_VOXELS), np.uint64)
    total, at = 0, 0
    for sub in range(SUB_BLOCKS):
        if sub % PER_AXIS == 0:
            _gather(rows, sub // (PER_AXIS * PER_AXIS) * SUB_VOX, sub // PER_AXIS % PER_AXIS * SUB_VOX, strip)
        voxels = strip[sub % PER_AXIS]
        number = _distinct(voxels, locals_[total:])
        numbers[sub] = number
        names = locals_[total : total + number]
        if number > _FEW:
            at = _pack(voxels, names, values, at)
        elif number > 1:
            at = _pack_few(voxels, names, values, at)
        total += number
    return numbers, locals_[:total], values[:at]


@njit(nogil=True)
def _gather(rows, z, y, strip):  # type: ignore[no-untyped-def]
    """Eight sub-blocks along x become contiguous each: read so, memory streams."""
    at = 0
    for dz in range(SUB_VOX):
        for dy in range(SUB_VOX):
            for sub in range(PER_AXIS):
                row = rows[z + dz, y + dy, sub].voxels
                for dx in range(SUB_VOX):
                    strip[sub, at + dx] = row[dx]
            at += SUB_VOX


@njit(nogil=True)
def _distinct(voxels, found):  # type: ignore[no-untyped-def]
    """Write the distinct labels of a sub-block into `found`, ascending, and return their number.

    Real sub-blocks mostly hold one to four labels: those are found by comparing 64 voxels at once with the ones known.
    """
    found[:4] = voxels[0]
    if _is_solid(voxels):
        return 1
    number, at = 1, 0
    while at < SUB_BLOCK_VOXELS:
        new = _first_other(voxels, at, found[0], found[1], found[2], found[3])
        if new < 0:
            at += SUB_VOX * SUB_VOX
        elif number == 4:
            return _ascending(voxels, found)
        else:
            found[number] = voxels[new]
            number += 1
    for i in range(1, number):
        for j in range(i, 0, -1):
            if found[j - 1] > found[j]:
                found[j - 1], found[j] = found[j], found[j - 1]
    return number


@njit(nogil=True)
def _is_solid(voxels):  # type: ignore[no-untyped-def]
    first, differing = voxels[0], np.uint64(0)
    for i in range(SUB_BLOCK_VOXELS):
        differing |= voxels[i] ^ first
    return differing == 0


@njit(nogil=True)
def _first_other(voxels, at, a, b, c, d):  # type: ignore[no-untyped-def]
    """The first of the 64 voxels from `at` on that has none of four labels; -1 if each has one of them."""
    others = np.uint64(0)
    for i in range(at, at + SUB_VOX * SUB_VOX):
        v = voxels[i]
        others |= np.uint64((v != a) & (v != b) & (v != c) & (v != d))
    if others == 0:
        return -1
    while voxels[at] == a or voxels[at] == b or voxels[at] == c or voxels[at] == d:
        at += 1
    return at


@njit(nogil=True)
def _sorted_distinct(voxels, found):  # type: ignore[no-untyped-def]
    number = 0
    for i in range(SUB_BLOCK_VOXELS):
        if i == 0 or voxels[i] != voxels[i - 1]:
            found[number] = voxels[i]
            number += 1
    return number


@njit(nogil=True)
def _ascending(voxels, found):  # type: ignore[no-untyped-def]
    """Write the distinct labels of a sub-block into `found`, ascending, and return their number.

    Neighbours mostly agree, so runs are skipped; where they do not, sorting all at once beats inserting one by one.
    """
    runs = 1
    for i in range(1, SUB_BLOCK_VOXELS):
        runs += voxels[i] != voxels[i - 1]
    if runs > _MANY_RUNS:
        return _sorted_distinct(np.sort(voxels), found)
    number = 0
    previous = voxels[0]
    for i in range(SUB_BLOCK_VOXELS):
        label = voxels[i]
        if i > 0 and label == previous:
            continue
        previous = label
        place = np.searchsorted(found[:number], label)
        if place < number and found[place] == label:
            continue
        for j in range(number, place, -1):
            found[j] = found[j - 1]
        found[place] = label
        number += 1
    return number


@njit(nogil=True)
def _pack(voxels, names, values, at):  # type: ignore[no-untyped-def]
    """Append the 512 values of one sub-block at byte `at`; return the byte after them."""
    bits = 0
    while (1 << bits) < len(names):
        bits += 1
    buffer, filled = 0, 0
    previous, place = names[0], 0
    for i in range(SUB_BLOCK_VOXELS):
        if voxels[i] != previous:
            previous = voxels[i]
            place = np.searchsorted(names, previous)
        buffer = (buffer << bits) | place
        filled += bits
        while filled >= 8:
            filled -= 8
            values[at] = (buffer >> filled) & 0xFF
            at += 1
        buffer &= (1 << filled) - 1
    return at


@njit(nogil=True)
def _pack_few(voxels, names, values, at):  # type: ignore[no-untyped-def]
    """`_pack` for up to 16 labels: a place is the number of smaller labels, and a row of eight is packed at once.

    E.g. with 1 bit, bytes 0 1 0 0 0 0 0 0 of a row become the byte 01000000.
    """
    bits = 1
    while (1 << bits) < len(names):
        bits += 1
    places = np.zeros(SUB_BLOCK_VOXELS, np.uint8)
    for smaller in names[: len(names) - 1]:
        for i in range(SUB_BLOCK_VOXELS):
            places[i] += np.uint8(voxels[i] > smaller)
    shift = np.uint64(bits)
    for row in places.view(np.uint64):
        pairs = ((row & _EVEN_BYTES) << shift) | ((row >> np.uint64(8)) & _EVEN_BYTES)
        quads = ((pairs & _EVEN_PAIRS) << (shift + shift)) | ((pairs >> np.uint64(16)) & _EVEN_PAIRS)
        eight = ((quads & _EVEN_QUADS) << (np.uint64(4) * shift)) | (quads >> np.uint64(32))
        for byte in range(bits):
            values[at + byte] = np.uint8((eight >> np.uint64(8 * (bits - 1 - byte))) & np.uint64(0xFF))
        at += bits
    return at


@njit(cache=True, nogil=True)
def fill_block(rows, locals_, numbers, values):  # type: ignore[no-untyped-def]
    """Write every voxel; False where a value lies outside its sub-block's labels. Lengths were checked before.

    `rows` are the (64, 64, 8, 8) voxels of a block: z, y, and eight rows of eight along x.
    """
    names = np.zeros(SUB_BLOCK_VOXELS, np.uint64)
    first, at = 0, 0
    for sub in range(SUB_BLOCKS):
        z, y, x = sub // (PER_AXIS * PER_AXIS) * SUB_VOX, sub // PER_AXIS % PER_AXIS * SUB_VOX, sub % PER_AXIS
        number = numbers[sub]
        bits = 0
        while (1 << bits) < number:
            bits += 1
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
