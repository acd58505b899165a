"""DVID's label block: 64^3 uint64 labels as a short byte string, and back.

Little-endian: `uint32 gx, gy, gz` (8 x 8 x 8 sub-blocks), `uint32 N`, N uint64 labels. With N = 1 that is all: 24
bytes, the block is solid. Else, for the 512 sub-blocks of 8^3 voxels (z slowest, x fastest): `uint16` number of labels
of each; then for each label of each its `uint32` place in the list of labels; then, for each sub-block of two or more
labels, 512 values (x fastest) of ceil(log2(number)) bits, most significant bit first, that say which of the
sub-block's labels a voxel has. Worked: 64^3 voxels of label 5, but voxel (0, 0, 1) of label 9: 8 8 8, 2, 5 9; numbers
2 1 1 1...; places 0 1 0 0 0...; 64 bytes 01000000 0...: 16 + 16 + 1024 + 513 * 4 + 64 bytes.

Our blocks name labels and places in ascending order, so the same voxels always give the same bytes. Bytes that come
from outside are checked before they are used: the worst that damaged ones can do is an `IntegrityError`.

The gzip around a block is ISA-L's. Its bytes were the same on emulated x86-64 processors of 2008 (SSE 4.2) and 2013
(AVX2) as on one with AVX-512, but no release or architecture promises them to another: compare the gzip bytes that DVID
returns with those that were sent to it, never with those of another writer.

Only the two compiled functions that Python calls are cached on disk. Were their helpers, too, Numba could join helpers
of two versions of this file after one was put back, and encode wrong labels: it did.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from numba import njit

from emseg.errors import IntegrityError, PermanentError

BLOCK_VOX = 64
SHAPE = (BLOCK_VOX,) * 3
_SUB = 8
_PER_AXIS = BLOCK_VOX // _SUB
_SUB_BLOCKS = _PER_AXIS**3
_SUB_VOXELS = _SUB**3
_VOXELS = BLOCK_VOX**3
_HEADER = np.array([_PER_AXIS] * 3, "<u4").tobytes()
_ROW = np.dtype([("voxels", np.uint64, (_SUB,))])
"""Eight voxels along x: the longest run of memory that belongs to one sub-block."""
_GZIP_LEVEL = 1
_GZIP_WBITS = 31
_MANY_RUNS = 128
_FEW = 16
"""Labels of a sub-block up to which comparing every voxel with every label beats looking labels up."""
_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)
_EVEN_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_EVEN_QUADS = np.uint64(0x00000000FFFFFFFF)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MAX_BYTES = 16 + 8 * _VOXELS + 2 * _SUB_BLOCKS + 4 * _VOXELS + _SUB_BLOCKS * _SUB_VOXELS * 9 // 8
"""Largest possible block (every voxel another label): nothing longer is unpacked."""


def encode_block(labels: npt.NDArray[np.uint64]) -> bytes:
    """Bytes of a block of shape (64, 64, 64), uint64, ZYX. DVID would die on any other shape: it is refused."""
    if labels.shape != SHAPE or labels.dtype != np.uint64:
        raise PermanentError(
            "encoding a label block",
            "labels for DVID",
            f"the array is {labels.dtype} of shape {labels.shape}",
            f"Give uint64 of shape {SHAPE}",
        )
    if labels.strides[-1] != labels.itemsize:
        labels = np.ascontiguousarray(labels)
    encoded: npt.NDArray[np.uint8] = _encoded(labels.view(_ROW))
    return _HEADER + encoded.tobytes()


def decode_block(data: bytes) -> npt.NDArray[np.uint64]:
    """Labels of a block, (64, 64, 64) uint64 ZYX. Label lists may be in any order and repeat labels."""
    names = _names(data)
    if len(names) == 1:
        _require(len(data) == 24, f"{len(data)} bytes instead of 24 for a solid block")
        return np.full(SHAPE, names[0], np.uint64)
    at = 16 + 8 * len(names)
    _require(len(data) >= at + 2 * _SUB_BLOCKS, "it ends inside the sub-blocks' label numbers")
    numbers = np.frombuffer(data, "<u2", _SUB_BLOCKS, at).astype(np.int64)
    at += 2 * _SUB_BLOCKS
    total = int(numbers.sum())
    _require(int(numbers.max()) <= _SUB_VOXELS, "a sub-block claims more labels than voxels")
    _require(len(data) >= at + 4 * total, "it ends inside the sub-blocks' label places")
    places = np.frombuffer(data, "<u4", total, at)
    _require(total == 0 or int(places.max()) < len(names), "a label place lies outside the list of labels")
    at += 4 * total
    expected = int((_bits(numbers) * _SUB_VOXELS // 8).sum())
    _require(len(data) == at + expected, f"{len(data)} bytes instead of {at + expected}")
    labels = np.empty(SHAPE, np.uint64)
    intact = _fill(labels, names[places], numbers, np.frombuffer(data, np.uint8, expected, at))
    _require(bool(intact), "a voxel names a label that its sub-block has not")
    return labels


def pack_block(labels: npt.NDArray[np.uint64]) -> bytes:
    """The block as DVID receives, keeps and returns it: gzip around `encode_block`; same bytes for the same labels."""
    return isal_zlib.compress(encode_block(labels), _GZIP_LEVEL, _GZIP_WBITS)


def unpack_block(packed: bytes) -> npt.NDArray[np.uint64]:
    """Inverse of `pack_block`; never unpacks more than the largest possible block."""
    unzip = isal_zlib.decompressobj(_GZIP_WBITS)
    try:
        data = unzip.decompress(packed, MAX_BYTES)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub declares an instance
        raise _damaged(f"it is not gzip ({error})") from None
    _require(unzip.eof and not unzip.unused_data, "its gzip stream is cut, too long, or followed by other bytes")
    return decode_block(data)


def _names(data: bytes) -> npt.NDArray[np.uint64]:
    _require(len(data) >= 24, f"it has {len(data)} bytes")
    _require(data[:12] == _HEADER, "its size is not 64 x 64 x 64")
    count = int(np.frombuffer(data, "<u4", 1, 12)[0])
    _require(0 < count <= (len(data) - 16) // 8, f"it claims {count} labels in {len(data)} bytes")
    return np.frombuffer(data, "<u8", count, 16).astype(np.uint64)


def _bits(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bits of a value among `numbers` labels: 0 for 0 and 1, 1 for 2, 2 for 3 and 4, ... 9 for 257 to 512."""
    return np.ceil(np.log2(np.maximum(numbers, 1))).astype(np.int64)


def _require(holds: bool, found: str) -> None:
    if not holds:
        raise _damaged(found)


def _damaged(found: str) -> IntegrityError:
    return IntegrityError("decoding a label block", "bytes from DVID", found, "Write the block again")


@njit(cache=True, nogil=True)
def _encoded(rows):  # type: ignore[no-untyped-def]
    """The block after its first 12 bytes, uint8, from its (64, 64, 8) rows of eight voxels, wherever they lie."""
    numbers, locals_, values = _sub_blocks(rows)
    names, places = _names_and_places(locals_)
    at = 4 + 8 * len(names)
    solid = len(names) == 1
    data = np.empty(at if solid else at + 2 * _SUB_BLOCKS + 4 * len(places) + len(values), np.uint8)
    data[:4].view(np.uint32)[0] = len(names)
    data[4:at] = names.view(np.uint8)
    if not solid:
        data[at : at + 2 * _SUB_BLOCKS] = numbers.view(np.uint8)
        at += 2 * _SUB_BLOCKS
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
    numbers = np.empty(_SUB_BLOCKS, np.uint16)
    locals_ = np.empty(_VOXELS, np.uint64)
    values = np.empty(_SUB_BLOCKS * _SUB_VOXELS * 9 // 8, np.uint8)
    strip = np.empty((_PER_AXIS, _SUB_VOXELS), np.uint64)
    total, at = 0, 0
    for sub in range(_SUB_BLOCKS):
        if sub % _PER_AXIS == 0:
            _gather(rows, sub // (_PER_AXIS * _PER_AXIS) * _SUB, sub // _PER_AXIS % _PER_AXIS * _SUB, strip)
        voxels = strip[sub % _PER_AXIS]
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
    for dz in range(_SUB):
        for dy in range(_SUB):
            for sub in range(_PER_AXIS):
                row = rows[z + dz, y + dy, sub].voxels
                for dx in range(_SUB):
                    strip[sub, at + dx] = row[dx]
            at += _SUB


@njit(nogil=True)
def _distinct(voxels, found):  # type: ignore[no-untyped-def]
    """Write the distinct labels of a sub-block into `found`, ascending, and return their number.

    Real sub-blocks mostly hold one to four labels: those are found by comparing 64 voxels at once with the ones known.
    """
    found[:4] = voxels[0]
    if _is_solid(voxels):
        return 1
    number, at = 1, 0
    while at < _SUB_VOXELS:
        new = _first_other(voxels, at, found[0], found[1], found[2], found[3])
        if new < 0:
            at += _SUB * _SUB
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
    for i in range(_SUB_VOXELS):
        differing |= voxels[i] ^ first
    return differing == 0


@njit(nogil=True)
def _first_other(voxels, at, a, b, c, d):  # type: ignore[no-untyped-def]
    """The first of the 64 voxels from `at` on that has none of four labels; -1 if each has one of them."""
    others = np.uint64(0)
    for i in range(at, at + _SUB * _SUB):
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
    for i in range(_SUB_VOXELS):
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
    for i in range(1, _SUB_VOXELS):
        runs += voxels[i] != voxels[i - 1]
    if runs > _MANY_RUNS:
        return _sorted_distinct(np.sort(voxels), found)
    number = 0
    previous = voxels[0]
    for i in range(_SUB_VOXELS):
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
    for i in range(_SUB_VOXELS):
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
    places = np.zeros(_SUB_VOXELS, np.uint8)
    for smaller in names[: len(names) - 1]:
        for i in range(_SUB_VOXELS):
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
def _fill(labels, locals_, numbers, values):  # type: ignore[no-untyped-def]
    """Write every voxel; False where a value lies outside its sub-block's labels. Lengths were checked before."""
    first, at = 0, 0
    for sub in range(_SUB_BLOCKS):
        z, y, x = sub // (_PER_AXIS * _PER_AXIS) * _SUB, sub // _PER_AXIS % _PER_AXIS * _SUB, sub % _PER_AXIS * _SUB
        number = numbers[sub]
        if number < 2:
            solid = locals_[first] if number == 1 else np.uint64(0)
            labels[z : z + _SUB, y : y + _SUB, x : x + _SUB] = solid
        else:
            at = _unpack(labels, z, y, x, locals_[first : first + number], values, at)
            if at < 0:
                return False
        first += number
    return True


@njit(nogil=True)
def _unpack(labels, z, y, x, names, values, at):  # type: ignore[no-untyped-def]
    """Write the voxels of one sub-block from byte `at`; return the byte after them, or -1 for a value out of range."""
    bits = 0
    while (1 << bits) < len(names):
        bits += 1
    buffer, filled = np.int64(0), 0
    for i in range(_SUB_VOXELS):
        while filled < bits:
            buffer = (buffer << 8) | np.int64(values[at])
            at += 1
            filled += 8
        filled -= bits
        place = buffer >> filled
        buffer &= (1 << filled) - 1
        if place >= len(names):
            return -1
        labels[z + i // (_SUB * _SUB), y + i // _SUB % _SUB, x + i % _SUB] = names[place]
    return at
