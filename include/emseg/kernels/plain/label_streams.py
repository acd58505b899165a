"""What `kernels/label_streams.py` computes: the five streams of `stream_format.py`, one voxel after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.kernels.stream_format import GROUP_VOX, LIST_CODE, Indices

Labels = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Line = list[int]


def to_streams(
    voxels: Labels, parts: Indices, distances: Indices, streams: Bytes, starts: Indices, labels: Labels
) -> tuple[int, ...]:
    """Write stream `s` from `streams[starts[s]]` on, and `labels`; the length of each, or five 0 if they may not fit.

    Two sections of two rows. The second row starts with a label that no neighbour has (code 7), which its other voxels
    take from the left (code 0): a group of 8 exceptions, after 1 group without. The third row chooses between the 1s of
    the section before and the 2s of the row before. The 2s do not go on to the left, so 1 is expected, and then the
    same choice again: only the fourth voxel has a bit of 1. The fourth row chooses three times, always as expected.

    >>> from emseg.kernels.stream_format import layout
    >>> rows = [1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2], [1, 1, 1, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2, 2, 2]
    >>> streams, starts, labels = np.zeros(120, np.uint8), np.arange(0, 150, 30), np.zeros(20, np.uint32)
    >>> lengths = to_streams(np.ravel(rows), *layout(32, row=8, section=16), streams, starts, labels)
    >>> [streams[30 * s : 30 * s + lengths[s]].tolist() for s in range(4)], labels[: lengths[4]].tolist()
    ([[1, 2], [255], [8, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0, 0]], [1, 2])
    """
    line = voxels.tolist()
    gap, gaps, masks, choices, codes, listed = 0, Line(), Line(), Line(), Line(), [line[0]]
    for group, distance in _groups(parts, distances):
        choices += _choices(line, group, distance)
        exceptions = [k for k in group if line[k] not in _u_and_z(line, k, distance)]
        if not exceptions:
            gap += 1
            continue
        if len(codes) + GROUP_VOX > starts[4] - starts[3] or len(listed) + GROUP_VOX > len(labels):
            return 0, 0, 0, 0, 0
        gaps += [*[255] * (gap // 255), gap % 255]
        gap = 0
        masks.append(sum(1 << (k - group.start) for k in exceptions))
        new = [_code(line, k, distance) for k in exceptions]
        codes += new
        listed += [line[k] for k, code in zip(exceptions, new, strict=True) if code == LIST_CODE]
    gaps += [*[255] * (gap // 255), gap % 255]
    said = gaps, masks, [*np.packbits(np.array(choices, bool), bitorder="little").tolist(), 0, 0], codes
    for stream, start in zip(said, starts.tolist(), strict=False):
        streams[start : start + len(stream)] = stream
    labels[: len(listed)] = listed
    return *map(len, said), len(listed)


def from_streams(
    voxels: Labels, parts: Indices, distances: Indices, streams: Bytes, starts: Indices, labels: Labels
) -> bool:
    """Write the voxels that the streams and `labels` say; False if those are too short, too long, or no streams at all.

    17 voxels of label 7 are a gap of 2 groups, no mask, two bytes of no choices, no code, and the label. A gap of 3 is
    too long:

    >>> from emseg.kernels.stream_format import layout
    >>> voxels, starts, labels = np.zeros(17, np.uint32), np.array([0, 1, 1, 3, 3]), np.array([7], np.uint32)
    >>> from_streams(voxels, *layout(17, 1, 1), np.array([2, 0, 0], np.uint8), starts, labels), set(voxels.tolist())
    (True, {7})
    >>> from_streams(voxels, *layout(17, 1, 1), np.array([3, 0, 0], np.uint8), starts, labels)
    False
    """
    gaps, masks, choice_bytes, codes = (deque(streams[a:b].tolist()) for a, b in pairwise(starts.tolist()))
    choices = deque(byte >> bit & 1 for byte in list(choice_bytes)[:-2] for bit in range(8))
    listed, line = deque(labels.tolist()), Line([0]) * voxels.size
    try:
        line[0] = listed.popleft()
        gap = _next_gap(gaps)
        for group, distance in _groups(parts, distances):
            if gap > 0:
                gap, mask = gap - 1, 0
            else:
                gap, mask = _next_gap(gaps), masks.popleft()
            if mask >> len(group):
                return False
            _fill_group(line, group, distance, mask, choices, codes, listed)
    except IndexError:  # a stream has ended, or a code is above 7
        return False
    voxels[:] = line
    return len(choice_bytes) >= 2 and len(choices) < 8 and not (gap or gaps or masks or codes or listed)


def _groups(parts: Indices, distances: Indices) -> Iterator[tuple[range, Line]]:
    """The indices of the voxels of each group, and its distances; no group lies in two parts."""
    for (start, stop), distance in zip(pairwise(parts.tolist()), distances.tolist(), strict=True):
        for i in range(start, stop, GROUP_VOX):
            yield range(i, min(i + GROUP_VOX, stop)), distance


def _u_and_z(line: Line, k: int, distance: Line) -> tuple[int, int]:
    return line[k - distance[1]], line[k - distance[2]]


def _code(line: Line, k: int, distance: Line) -> int:
    return next((code for code, back in enumerate(distance) if line[k - back] == line[k]), LIST_CODE)


def _choices(line: Line, group: range, distance: Line) -> Iterator[bool]:
    """For each voxel that chooses: whether it does not choose what is expected."""
    left_is_u = None
    for k in group:
        u, z = _u_and_z(line, k, distance)
        if u == z or line[k] not in (u, z):
            left_is_u = None
            continue
        yield (line[k] == u) != _expects_u(line, k, distance, left_is_u)
        left_is_u = line[k] == u


def _expects_u(line: Line, k: int, distance: Line, left_is_u: bool | None) -> bool:
    """Whether voxel `k` is expected to be U; `left_is_u` is the choice to its left, None if its group has none."""
    up = distance[1]
    return line[k - up] == line[k - up - 1] if left_is_u is None else left_is_u


def _next_gap(gaps: deque[int]) -> int:
    gap = more = gaps.popleft()
    while more == 255:
        more = gaps.popleft()
        gap += more
    return gap


def _fill_group(
    line: Line, group: range, distance: Line, mask: int, choices: deque[int], codes: deque[int], listed: deque[int]
) -> None:
    """Write the voxels of one group, and take what they need from the front of the streams."""
    left_is_u = None
    for k in group:
        u, z = _u_and_z(line, k, distance)
        if mask >> (k - group.start) & 1:
            code = codes.popleft()
            line[k] = listed.popleft() if code == LIST_CODE else line[k - distance[code]]
            left_is_u = None
        elif u == z:
            line[k] = z
            left_is_u = None
        else:
            left_is_u = _expects_u(line, k, distance, left_is_u) != bool(choices.popleft())
            line[k] = u if left_is_u else z
