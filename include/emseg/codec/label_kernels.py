"""The compiled passes of the label codec: voxels to five streams of small numbers, and back.

Voxels of a chunk are taken in C order, in groups of eight. A voxel is guessed from three neighbours that come before
it: Z (the same place in the section before), U (in the row before) and L (to its left). Where Z = U the guess is Z, and
nothing is said. Where they differ one bit says whether the voxel is what L votes for: U where L = U, else Z; or the
other of the two. Any other voxel is an exception: it has a bit in the mask of its group and a code that points to an
equal neighbour, or says that its label comes next in the list of labels. Streams:

GAPS    groups without exceptions before each group with some (255: add the next one too), and after the last
MASKS   a byte a group with exceptions, bit i for its voxel i
CHOICES a bit a voxel where Z and U differ and that is no exception, least significant first, and two bytes more
CODES   a byte an exception: the neighbour it equals (column of `_distances`), or 7: its label is listed
LISTED  labels, one an exception that equals none of them, after that of the first voxel

Before one section (row) is complete the row before (the voxel before) stands for Z and U. Decoding checks every place
in a stream before it reads it, and looks back only: no stream can make it read or write outside its arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

STREAMS = 4
GAPS, MASKS, CHOICES, CODES, LISTED = range(STREAMS + 1)
GROUP_VOX = 8
_NEIGHBOURS = 7
_LOWEST = np.array([(mask & -mask).bit_length() - 1 for mask in range(256)], np.int8)
_BITS = np.array([mask.bit_count() for mask in range(256)], np.uint8)
# numba makes a float of a signed and an unsigned integer, and checks signed places for being negative.
_ONE, _THREE, _SEVEN, _GROUP, _ALL = (np.uint64(n) for n in (1, 3, 7, GROUP_VOX, 255))


def capacities(voxels: int) -> npt.NDArray[np.int64]:
    """Room that encoding needs for each stream, in bytes; more than half of the voxels as exceptions are refused."""
    groups = voxels // GROUP_VOX + 4
    return np.array([groups + groups // 255 + 2, groups, groups + 3, voxels // 2 + GROUP_VOX], np.int64)


@njit(nogil=True)
def _distances(voxels, row, section):  # type: ignore[no-untyped-def]
    """First voxel of each of three parts of a chunk (and the end); in each, how far back L, U, Z and four more lie."""
    first = min(row, voxels)
    second = min(max(section, first), voxels)
    parts = np.array([1, first, second, voxels]).astype(np.uint64)
    back = np.ones((3, _NEIGHBOURS), np.uint64)
    for part in range(3):
        up = 1 if part == 0 else row
        before = section if part == 2 else up
        back[part, 1] = up
        back[part, 2] = before
        back[part, 3] = max(before - 1, 1)
        back[part, 4] = max(up - 1, 1)
        back[part, 5] = max(before - up, 1)
        back[part, 6] = max(before - up - 1, 1)
    return parts, back


@njit(forceinline=True, nogil=True)
def _put_gap(streams, gaps, gap):  # type: ignore[no-untyped-def]
    """Append a number at place `gaps` of the streams; the place after it."""
    while gap >= _ALL:
        streams[gaps] = _ALL
        gaps += _ONE
        gap -= _ALL
    streams[gaps] = gap
    return gaps + _ONE


@njit(forceinline=True, nogil=True)
def _odd_voxels(voxels, i, before, up):  # type: ignore[no-untyped-def]
    """Of a whole group: bits of the voxels where voxel, Z and U are not all equal. Compiled to vector instructions."""
    odd = np.uint64(0)
    for j in range(_GROUP):
        z = voxels[i - before + j]
        odd |= np.uint64((voxels[i + j] != z) | (voxels[i - up + j] != z)) << j
    return odd


@njit(forceinline=True, nogil=True)
def _neighbour(voxels, k, distance):  # type: ignore[no-untyped-def]
    """Number of the first neighbour that equals voxel `k`, or 7."""
    code = np.uint64(0)
    while code < _SEVEN and voxels[k - distance[code]] != voxels[k]:
        code += _ONE
    return code


@njit(cache=True, nogil=True)
def to_streams(voxels, row, section, streams, starts, labels):  # type: ignore[no-untyped-def]
    """Fill the streams, `streams[starts[s]:starts[s + 1]]` each, and `labels`; the number of bytes (labels) of each.

    The first number is -1 where they do not fit: such labels are too rough for this codec. There is at least one voxel;
    `row` and `section` are distances in voxels, of 1 or of 8 and more. Places in the streams are local variables, and
    the loop is not cut into more functions: kept in an array they would be read again after each write, at half speed.
    """
    parts, distances = _distances(len(voxels), row, section)
    places = starts.astype(np.uint64)
    gaps, masks, choices, codes, end = places[0], places[1], places[2], places[3], places[4]
    labels[0] = voxels[0]
    listed, listed_end = _ONE, np.uint64(len(labels))
    gap, bits, filled = np.uint64(0), np.uint64(0), np.uint64(0)
    for part in range(3):
        distance = distances[part]
        up, before = distance[1], distance[2]
        for i in range(parts[part], parts[part + 1], _GROUP):
            left = parts[part + 1] - i
            odd = _odd_voxels(voxels, i, before, up) if left >= _GROUP else _ALL >> (_GROUP - left)
            mask = np.uint64(0)
            while odd:
                j = np.uint64(_LOWEST[odd])
                odd &= odd - _ONE
                x, z, u = voxels[i + j], voxels[i + j - before], voxels[i + j - up]
                if (x != z) & (x != u):
                    if codes >= end or listed >= listed_end:
                        return np.full(STREAMS + 1, -1)
                    streams[codes] = _neighbour(voxels, i + j, distance)
                    if streams[codes] == _SEVEN:
                        labels[listed] = x
                        listed += _ONE
                    codes += _ONE
                    mask |= _ONE << j
                elif z != u:
                    bits |= np.uint64((x == u) != (voxels[i + j - _ONE] == u)) << filled
                    filled += _ONE
            if filled >= _GROUP:
                streams[choices] = bits & _ALL
                choices += _ONE
                bits >>= _GROUP
                filled -= _GROUP
            if mask:
                gaps = _put_gap(streams, gaps, gap)
                gap = np.uint64(0)
                streams[masks] = mask
                masks += _ONE
            else:
                gap += _ONE
    gaps = _put_gap(streams, gaps, gap)
    streams[choices] = bits
    choices += np.uint64(filled > 0)
    streams[choices : choices + _ONE + _ONE] = 0
    ends = np.array([gaps, masks, choices + _ONE + _ONE, codes, listed]).astype(np.int64)
    ends[:STREAMS] -= starts[:STREAMS]
    return ends


@njit(forceinline=True, nogil=True)
def _next_gap(streams, gaps, end):  # type: ignore[no-untyped-def]
    """The number at place `gaps`, or -1 where the stream ends in it; and the place after it."""
    gap = np.int64(0)
    while gaps < end:
        more = streams[gaps]
        gaps += _ONE
        gap += np.int64(more)
        if more < _ALL:
            return gap, gaps
    return np.int64(-1), gaps


@njit(forceinline=True, nogil=True)
def _copied(voxels, i, before, up):  # type: ignore[no-untyped-def]
    """Write Z into a whole group; bits of the voxels where U differs from it. Compiled to vector instructions."""
    split = np.uint64(0)
    for j in range(_GROUP):
        split |= np.uint64(voxels[i - before + j] != voxels[i - up + j]) << j
    for j in range(_GROUP):
        voxels[i + j] = voxels[i - before + j]
    return split


@njit(forceinline=True, nogil=True)
def _copied_some(voxels, i, before, up, number):  # type: ignore[no-untyped-def]
    """`_copied` for the last group of a part."""
    split = np.uint64(0)
    for j in range(number):
        split |= np.uint64(voxels[i - before + j] != voxels[i - up + j]) << j
        voxels[i + j] = voxels[i - before + j]
    return split


@njit(forceinline=True, nogil=True)
def _choose(voxels, k, up, choice):  # type: ignore[no-untyped-def]
    """Voxel `k` holds Z: put U in its place if the voxel to the left and its bit say so."""
    u = voxels[k - up]
    if (voxels[k - _ONE] == u) != (choice & _ONE != 0):
        voxels[k] = u


@njit(cache=True, nogil=True)
def from_streams(voxels, row, section, streams, starts, labels):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0912, PLR0915
    """Write every voxel (at least one); False where the streams are too short, too long, or hold an unknown code."""
    parts, distances = _distances(len(voxels), row, section)
    places = starts.astype(np.uint64)
    gaps, masks, read, codes, end = places[0], places[1], places[2], places[3], places[4]
    gaps_end, masks_end, choices_end, listed_end = masks, read, codes, np.uint64(len(labels))
    gap, gaps = _next_gap(streams, gaps, gaps_end)
    if gap < 0 or listed_end == 0:
        return False
    voxels[0] = labels[0]
    listed = _ONE
    read *= _GROUP
    for part in range(3):
        distance = distances[part]
        up, before = distance[1], distance[2]
        following, stop = parts[part], parts[part + 1]
        while following < stop:
            i = following
            following = i + _GROUP
            number = _GROUP
            if following <= stop:
                split = _copied(voxels, i, before, up)
            else:
                number = stop - i
                split = _copied_some(voxels, i, before, up, number)
            mask = np.uint64(0)
            if gap > 0:
                gap -= 1
            else:
                gap, gaps = _next_gap(streams, gaps, gaps_end)
                if gap < 0 or masks >= masks_end or np.uint64(streams[masks]) >> number:
                    return False
                mask = np.uint64(streams[masks])
                masks += _ONE
            chosen = split & ~mask
            choices = np.uint64(0)
            if chosen:
                byte = read >> _THREE
                if byte + _ONE >= choices_end:
                    return False
                choices = (np.uint64(streams[byte]) | np.uint64(streams[byte + _ONE]) << _GROUP) >> (read & _SEVEN)
                read += np.uint64(_BITS[chosen])
            if not mask:
                while chosen:
                    _choose(voxels, i + np.uint64(_LOWEST[chosen]), up, choices)
                    chosen &= chosen - _ONE
                    choices >>= _ONE
                continue
            # Where Z is closer than a group, what follows an exception was copied too early.
            todo = split | mask if before >= _GROUP else _ALL >> (_GROUP - number)
            while todo:
                j = np.uint64(_LOWEST[todo])
                todo &= todo - _ONE
                if (mask >> j) & _ONE:
                    if codes >= end:
                        return False
                    code = np.uint64(streams[codes])
                    codes += _ONE
                    if code < _SEVEN:
                        voxels[i + j] = voxels[i + j - distance[code]]
                    elif code == _SEVEN and listed < listed_end:
                        voxels[i + j] = labels[listed]
                        listed += _ONE
                    else:
                        return False
                elif (split >> j) & _ONE:
                    _choose(voxels, i + j, up, choices)
                    choices >>= _ONE
                else:
                    voxels[i + j] = voxels[i + j - before]
    complete = gap == 0 and gaps == gaps_end and masks == masks_end and codes == end and listed == listed_end
    return complete and ((read + _SEVEN) >> _THREE) + _ONE + _ONE == choices_end
