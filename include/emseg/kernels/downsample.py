"""The compiled pass that halves the resolution of labels; its twin is `plain/downsample.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.kernels.compiled import compiled


@compiled
def fill_modes(labels, ids, half):  # type: ignore[no-untyped-def]
    """Write to each voxel of `half` the most frequent label above 0 of its 2 x 2 x 2, the smallest of equals; else 0.

    `labels` are uint64 ZYX of twice the shape of `half`. If `ids` is not None they are uint32 indices in `ids`, which
    are uint64 and all different; the ids are compared, and written. `half` is uint64, wherever it lies. The caller has
    checked the shapes. Most eights are of one label, and most others of two: neither is voted on.
    """
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
    """The mode of eight labels, at once if they are two, else by a vote."""
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
    """The mode of eight labels by a vote of each."""
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
