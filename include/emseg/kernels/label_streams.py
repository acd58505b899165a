"""The compiled passes of the label codec: the voxels of a chunk to five streams, and back.

`stream_format.py` says what is in the streams; the twin of this file, `plain/label_streams.py`, says it as a short
program. Decoding checks every index into a stream before it reads, and looks back only: no stream can make it read or
write outside its arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.kernels.compiled import compiled
from emseg.kernels.lanes import COUNT, LOWEST, blend, unequal
from emseg.kernels.stream_format import GROUP_VOX

# numba makes a float of a signed and an unsigned integer, and checks signed indices for being negative.
_NONE, _ONE, _TWO, _THREE, _FOUR, _SEVEN, _GROUP, _ALL = (np.uint64(n) for n in (0, 1, 2, 3, 4, 7, GROUP_VOX, 255))


def _pushed() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Tables [mask, bits], (256, 256): the bits that a mask selects, pushed together; and pulled apart again."""
    bits = np.arange(256, dtype=np.uint8)
    together, apart = np.zeros((2, 256, 256), np.uint8)
    for mask in range(256):
        for number, bit in enumerate(bit for bit in range(8) if mask >> bit & 1):
            together[mask] |= (bits >> bit & 1) << number
            apart[mask] |= (bits >> number & 1) << bit
    return together, apart


_TOGETHER, _APART = _pushed()


@njit(forceinline=True, nogil=True)
def _put_gap(streams, gaps, gap):  # type: ignore[no-untyped-def]
    """Write a number at index `gaps` of the streams; return the index after it."""
    while gap >= _ALL:
        streams[gaps] = _ALL
        gaps += _ONE
        gap -= _ALL
    streams[gaps] = gap
    return gaps + _ONE


@njit(forceinline=True, nogil=True)
def _unequal(voxels, one, other, number):  # type: ignore[no-untyped-def]
    """`unequal` for `number` voxels, fewer than eight: the last group of a part."""
    bits = _NONE
    for j in range(number):
        bits |= np.uint64(voxels[one + j] != voxels[other + j]) << j
    return bits


@njit(forceinline=True, nogil=True)
def _as_expected(voxels, i, up, chosen):  # type: ignore[no-untyped-def]
    """Of the voxels that chose (bits `chosen`): those whose left neighbour chose, too; and the others that expect U.

    Voxels choose in the last part alone, where U is at least a group away.
    """
    follows = chosen & (chosen << _ONE)
    return follows, chosen & ~follows & ~unequal(voxels, i - up, i - up - _ONE)


@njit(forceinline=True, nogil=True)
def _neighbour(voxels, k, distance):  # type: ignore[no-untyped-def]
    """The code of voxel `k`: the first neighbour that it equals, or 7."""
    code = _NONE
    while code < _SEVEN and voxels[k - distance[code]] != voxels[k]:
        code += _ONE
    return code


@compiled
def to_streams(voxels, parts, distances, streams, starts, labels):  # type: ignore[no-untyped-def]
    """Fill stream `s` from `streams[starts[s]]` on, and `labels` with LISTED; return the bytes (labels) of each.

    All five are 0 where a group might not fit: such labels are too rough for this codec. `voxels` is a line of one or
    more labels of any unsigned dtype, `labels` of the same; `parts` and `distances` are the `layout` of them; `starts`
    are five uint64.

    The indices into the streams are local variables, and the loop is not cut into more functions: indices in an array
    would be read again after each write, at half the speed.
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
    """The number at index `gaps`, or -1 if the stream ends inside it; and the index after it."""
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
    """Which of the voxels that choose are U, from the bits of CHOICES from `read` on; anything after byte `last`."""
    byte = min(read >> _THREE, last)
    said = (np.uint64(streams[byte]) | np.uint64(streams[byte + _ONE]) << _GROUP) >> (read & _SEVEN)
    follows, expected = _as_expected(voxels, i, up, chosen)
    is_u = np.uint64(_APART[chosen, said & _ALL]) ^ expected
    # A voxel that follows depends on the one before it: three doubling steps carry the first of a run to its end.
    is_u ^= (is_u << _ONE) & follows
    follows &= follows << _ONE
    is_u ^= (is_u << _TWO) & follows
    follows &= follows << _TWO
    return is_u ^ ((is_u << _FOUR) & follows)


@compiled
def from_streams(voxels, parts, distances, streams, starts, labels):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0912, PLR0915
    """Write every voxel; False if the streams are too short, too long, or hold an unknown code.

    The arguments are those of `to_streams`, which wrote `streams` and `labels`. Where False is returned some voxels are
    written, and they mean nothing. Most groups have no exceptions; they have a loop of their own, as fast as memory.
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
                for n in range(number):
                    voxels[i + n] = voxels[i + n - up] if (is_u >> n) & _ONE else voxels[i + n - before]
            # If Z is closer than a group, the voxels after an exception were copied too early.
            todo = mask if before >= _GROUP or not mask else _ALL >> (_GROUP - number)
            while todo:
                j = np.uint64(LOWEST[todo])
                k = i + j
                todo &= todo - _ONE
                if not (mask >> j) & _ONE:
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
