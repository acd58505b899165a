"""The compiled passes of the label codec: voxels to five streams of small numbers, and back.

Voxels of a chunk are taken in C order, in groups of eight. A voxel is guessed from two neighbours that come before it:
Z (the same place in the section before) and U (in the row before). Where Z = U the guess is Z, and nothing is said.
Where they differ one bit says which of the two it is. A voxel that is neither is an exception: it has a bit in the mask
of its group and a code that points to an equal neighbour, or says that its label comes next in the list. Streams:

GAPS    groups without exceptions before each group with some (255: add the next one too), and after the last
MASKS   a byte a group with exceptions, bit i for its voxel i
CHOICES a bit a voxel where Z and U differ and that is no exception, least significant first, and two bytes more: 0 for
        U as expected, or Z as expected. U is expected where the voxel to the left was chosen in this group, too, and is
        U; and, if none was chosen there, where U equals what lies left of it
CODES   a byte an exception: the neighbour it equals (column of `layout`), or 7: its label is listed
LISTED  labels, one an exception that equals none of them, after that of the first voxel

Before one section (row) is complete the row before (the voxel before) stands for Z and U. Decoding checks every place
in a stream before it reads it, and looks back only: no stream can make it read or write outside its arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.compiled import compiled
from emseg.lanes import COUNT, LANES, LOWEST, blend, unequal

STREAMS = 4
GAPS, MASKS, CHOICES, CODES, LISTED = range(STREAMS + 1)
GROUP_VOX = LANES
Places = npt.NDArray[np.uint64]
# numba makes a float of a signed and an unsigned integer, and checks signed places for being negative.
_NONE, _ONE, _TWO, _THREE, _FOUR, _SEVEN, _GROUP, _ALL = (np.uint64(n) for n in (0, 1, 2, 3, 4, 7, GROUP_VOX, 255))


def _pushed() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Tables [mask, bits], (256, 256): the bits at the places of a mask pushed together; and pulled apart again."""
    bits = np.arange(256, dtype=np.uint8)
    together, apart = np.zeros((2, 256, 256), np.uint8)
    for mask in range(256):
        for number, place in enumerate(place for place in range(8) if mask >> place & 1):
            together[mask] |= (bits >> place & 1) << number
            apart[mask] |= (bits >> number & 1) << place
    return together, apart


_TOGETHER, _APART = _pushed()


def capacities(voxels: int) -> npt.NDArray[np.int64]:
    """Room that encoding needs for each stream, in bytes; more than half of the voxels as exceptions are refused."""
    groups = voxels // GROUP_VOX + 4
    return np.array([groups + groups // 255 + 2, groups, groups + 3, voxels // 2 + GROUP_VOX], np.int64)


def layout(voxels: int, row: int, section: int) -> tuple[Places, Places]:
    """Where the three parts of a chunk begin, and its end; and how far back L, U, Z and four more lie in each, (3, 7).

    `row` and `section` are distances in voxels, of 1 or of 8 and more.
    """
    first = min(row, voxels)
    second = min(max(section, first), voxels)
    distances = []
    for up, before in ((1, 1), (row, row), (row, section)):
        corners = (before - 1, up - 1, before - up, before - up - 1)
        distances.append([1, up, before, *(max(distance, 1) for distance in corners)])
    return np.array([1, first, second, voxels], np.uint64), np.array(distances, np.uint64)


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
def _unequal(voxels, one, other, number):  # type: ignore[no-untyped-def]
    """`unequal` for the last group of a part."""
    bits = _NONE
    for j in range(number):
        bits |= np.uint64(voxels[one + j] != voxels[other + j]) << j
    return bits


@njit(forceinline=True, nogil=True)
def _as_expected(voxels, i, up, chosen):  # type: ignore[no-untyped-def]
    """Of chosen voxels: bits of those whose left neighbour was chosen, too; bits of the others that should be U.

    Voxels are chosen in the last part alone, where U is at least a group away.
    """
    follows = chosen & (chosen << _ONE)
    return follows, chosen & ~follows & ~unequal(voxels, i - up, i - up - _ONE)


@njit(forceinline=True, nogil=True)
def _neighbour(voxels, k, distance):  # type: ignore[no-untyped-def]
    """Number of the first neighbour that equals voxel `k`, or 7."""
    code = _NONE
    while code < _SEVEN and voxels[k - distance[code]] != voxels[k]:
        code += _ONE
    return code


@compiled
def to_streams(voxels, parts, distances, streams, starts, labels):  # type: ignore[no-untyped-def]
    """Fill the streams, `streams[starts[s]:starts[s + 1]]` each, and `labels`; the number of bytes (labels) of each.

    All are 0 where they do not fit: such labels are too rough for this codec. There is at least one voxel; `parts` and
    `distances` are its `layout`, `starts` are uint64. Places in the streams are local variables, and the loop is not
    cut into more functions: kept in an array they would be read again after each write, at half speed.
    """
    gaps, masks, choices, codes, end = starts[0], starts[1], starts[2], starts[3], starts[4]
    labels[0] = voxels[0]
    listed, listed_end = _ONE, np.uint64(len(labels))
    gap, bits, filled = _NONE, _NONE, _NONE
    for part in range(3):
        distance = distances[part]
        up, before = distance[1], distance[2]
        for i in range(parts[part], parts[part + 1], _GROUP):
            left = parts[part + 1] - i
            if left >= _GROUP:
                not_z, not_u = unequal(voxels, i, i - before), unequal(voxels, i, i - up)
            else:
                not_z, not_u = _unequal(voxels, i, i - before, left), _unequal(voxels, i, i - up, left)
            chosen, mask = not_z ^ not_u, not_z & not_u
            if chosen:
                follows, expected = _as_expected(voxels, i, up, chosen)
                is_u = chosen & not_z
                bits |= np.uint64(_TOGETHER[chosen, is_u ^ expected ^ (follows & (is_u << _ONE))]) << filled
                filled += np.uint64(COUNT[chosen])
                if filled >= _GROUP:
                    streams[choices] = bits & _ALL
                    choices += _ONE
                    bits >>= _GROUP
                    filled -= _GROUP
            if not mask:
                gap += _ONE
                continue
            gaps = _put_gap(streams, gaps, gap)
            gap = _NONE
            streams[masks] = mask
            masks += _ONE
            if codes + _GROUP > end or listed + _GROUP > listed_end:
                return _NONE, _NONE, _NONE, _NONE, _NONE
            while mask:
                k = i + np.uint64(LOWEST[mask])
                mask &= mask - _ONE
                code = _neighbour(voxels, k, distance)
                streams[codes] = code
                codes += _ONE
                labels[listed] = voxels[k]
                listed += np.uint64(code == _SEVEN)
    gaps = _put_gap(streams, gaps, gap)
    streams[choices] = bits
    choices += np.uint64(filled > 0)
    streams[choices] = streams[choices + _ONE] = 0
    return gaps - starts[0], masks - starts[1], choices + _TWO - starts[2], codes - starts[3], listed


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
def _chosen_u(voxels, i, up, chosen, streams, read, last):  # type: ignore[no-untyped-def]
    """Bits of the chosen voxels that are U, from the choices that begin at bit `read`; any after byte `last`."""
    byte = min(read >> _THREE, last)
    said = (np.uint64(streams[byte]) | np.uint64(streams[byte + _ONE]) << _GROUP) >> (read & _SEVEN)
    follows, expected = _as_expected(voxels, i, up, chosen)
    is_u = np.uint64(_APART[chosen, said & _ALL]) ^ expected
    # Each that follows depends on the one before: three doubling steps carry the first of a run to its end.
    is_u ^= (is_u << _ONE) & follows
    follows &= follows << _ONE
    is_u ^= (is_u << _TWO) & follows
    follows &= follows << _TWO
    return is_u ^ ((is_u << _FOUR) & follows)


@compiled
def from_streams(voxels, parts, distances, streams, starts, labels):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0912, PLR0915
    """Write every voxel (at least one); False where the streams are too short, too long, or hold an unknown code.

    Groups without exceptions, most of them, have a loop of their own: it runs at the speed of memory.
    """
    gaps, masks, read, codes, end = starts[0], starts[1], starts[2], starts[3], starts[4]
    gaps_end, masks_end, choices_end, listed_end = masks, read, codes, np.uint64(len(labels))
    gap, gaps = _next_gap(streams, gaps, gaps_end)
    if gap < 0 or listed_end == 0 or choices_end < read + _TWO:
        return False
    voxels[0] = labels[0]
    listed = _ONE
    read *= _GROUP
    choices_end -= _TWO
    for part in range(3):
        distance = distances[part]
        up, before = distance[1], distance[2]
        i, stop = parts[part], parts[part + 1]
        while i < stop:
            groups = min(np.uint64(gap), (stop - i) // _GROUP) if before >= _GROUP else _NONE
            gap -= np.int64(groups)
            clean_end = i + groups * _GROUP
            while i < clean_end:
                chosen, is_u = unequal(voxels, i - before, i - up), _NONE
                if chosen:
                    is_u = _chosen_u(voxels, i, up, chosen, streams, read, choices_end)
                    read += np.uint64(COUNT[chosen])
                blend(voxels, i, i - before, i - up, is_u)
                i += _GROUP
            if i == stop:
                break
            number, mask = min(_GROUP, stop - i), _NONE
            if gap > 0:
                gap -= 1
            else:
                gap, gaps = _next_gap(streams, gaps, gaps_end)
                if gap < 0 or masks >= masks_end or np.uint64(streams[masks]) >> number:
                    return False
                mask = np.uint64(streams[masks])
                masks += _ONE
            chosen, is_u = _NONE, _NONE
            if before >= _GROUP:
                chosen = unequal(voxels, i - before, i - up) & ~mask & (_ALL >> (_GROUP - number))
            if chosen:
                is_u = _chosen_u(voxels, i, up, chosen, streams, read, choices_end)
                read += np.uint64(COUNT[chosen])
            if before >= _GROUP and number == _GROUP:
                blend(voxels, i, i - before, i - up, is_u)
            else:
                for j in range(number):
                    voxels[i + j] = voxels[i + j - up] if (is_u >> j) & _ONE else voxels[i + j - before]
            # Where Z is closer than a group, what follows an exception was copied too early.
            todo = mask if before >= _GROUP or not mask else _ALL >> (_GROUP - number)
            while todo:
                place = np.uint64(LOWEST[todo])
                k = i + place
                todo &= todo - _ONE
                if not (mask >> place) & _ONE:
                    voxels[k] = voxels[k - before]
                    continue
                if codes >= end:
                    return False
                code = np.uint64(streams[codes])
                codes += _ONE
                if code < _SEVEN:
                    voxels[k] = voxels[k - distance[code]]
                elif code == _SEVEN and listed < listed_end:
                    voxels[k] = labels[listed]
                    listed += _ONE
                else:
                    return False
            i += number
    complete = gap == 0 and gaps == gaps_end and masks == masks_end and codes == end and listed == listed_end
    return complete and (read + _SEVEN) >> _THREE == choices_end
