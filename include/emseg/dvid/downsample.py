"""Labels at half the resolution, for the coarser scales of a labelmap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.compiled import compiled
from emseg.errors import PermanentError


def downsample_labels(
    labels: npt.NDArray[np.uint32] | npt.NDArray[np.uint64],
    ids: npt.NDArray[np.uint64] | None = None,
    into: npt.NDArray[np.uint64] | None = None,
) -> npt.NDArray[np.uint64]:
    """Half of a ZYX array with even sides: each voxel is the most frequent label of its 2 x 2 x 2.

    Zeros are ignored unless all eight are 0, and of equally frequent labels the smallest is taken. This is the rule by
    which the server recomputes coarser scales when proofreaders change voxels, so the two agree.
    Worked: 0 0 0 0 0 7 7 5 -> 7; 7 7 7 5 5 5 0 0 -> 5. Labels are uint64, or uint32 places in `ids`, which must hold
    them all. The result is written to `into`, of half the shape, wherever it lies.
    """
    if (
        labels.ndim != 3
        or labels.dtype != (np.uint64 if ids is None else np.uint32)
        or any(n % 2 for n in labels.shape)
    ):
        raise PermanentError(
            "downsampling labels",
            "an array",
            f"it is {labels.dtype} of shape {labels.shape}",
            "Give uint64 ZYX, or uint32 with ids, with even sides",
        )
    half = np.empty(tuple(n // 2 for n in labels.shape), np.uint64) if into is None else into
    _modes(labels, ids, half)
    return half


@compiled
def _modes(labels, ids, half):  # type: ignore[no-untyped-def]
    """Most eights are of one label, and most others of two: neither is voted on."""
    eight = np.empty(8, labels.dtype)
    for z in range(half.shape[0]):
        for y in range(half.shape[1]):
            for x in range(half.shape[2]):
                first = labels[2 * z, 2 * y, 2 * x]
                differing = first ^ first
                for i in range(1, 8):
                    differing |= labels[2 * z + (i >> 2), 2 * y + (i >> 1 & 1), 2 * x + (i & 1)] ^ first
                if differing:
                    for i in range(8):
                        eight[i] = labels[2 * z + (i >> 2), 2 * y + (i >> 1 & 1), 2 * x + (i & 1)]
                    half[z, y, x] = _mode_of_two(eight, ids)
                else:
                    half[z, y, x] = _id_of(first, ids)


@njit(nogil=True)
def _id_of(label, ids):  # type: ignore[no-untyped-def]
    return label if ids is None else ids[label]


@njit(forceinline=True, nogil=True)
def _mode_of_two(eight, ids):  # type: ignore[no-untyped-def]
    first, other = eight[0], eight[0]
    for i in range(8):
        other = other if eight[i] == first else eight[i]
    firsts, others = 0, 0
    for i in range(8):
        firsts += eight[i] == first
        others += eight[i] == other
    if firsts + others < 8:
        return _mode(eight, ids)
    one, two = _id_of(first, ids), _id_of(other, ids)
    if one == 0 or two == 0:
        return max(one, two)
    if firsts == others:
        return min(one, two)
    return one if firsts > others else two


@njit(nogil=True)
def _mode(eight, ids):  # type: ignore[no-untyped-def]
    best, most = np.uint64(0), 0
    for i in range(8):
        label = _id_of(eight[i], ids)
        if label == 0:
            continue
        votes = 0
        for j in range(8):
            votes += eight[j] == eight[i]
        if votes > most or (votes == most and label < best):
            best, most = label, votes
    return best
