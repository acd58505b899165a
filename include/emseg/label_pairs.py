"""Counting which labels of two volumes lie at the same voxels: the kernel of evaluation and of overlap votes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

_FIRST_SLOTS = 1024
_SPREAD_A, _SPREAD_B, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(32)

Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


def count_pairs(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> tuple[Ids, Ids, Counts]:
    """Pairs of labels at the same voxel of two arrays of one shape, ascending, and the voxels of each.

    Any unsigned or non-negative integer dtype, exact to 2^64 - 1. Labels come in runs along the last axis: one look
    into a hash table a run, and only the pairs found are sorted. Callers check that the shapes agree, and say
    whose they are: compiled code would read past the end of the shorter array.
    Worked example: `5 5 7` and `1 2 2` give (5, 1): 1, (5, 2): 1, (7, 2): 1.
    """
    a, b, counts = _tallied(np.ravel(first), np.ravel(second))
    order = np.lexsort((b, a))
    return a[order], b[order], counts[order]


@njit(cache=True, nogil=True)
def _tallied(first, second):  # type: ignore[no-untyped-def]
    """Pairs and their voxels, in no order: open addressing, at most half full."""
    pairs, counts = np.empty((_FIRST_SLOTS, 2), np.uint64), np.zeros(_FIRST_SLOTS, np.int64)
    used, start = 0, 0
    for i in range(1, len(first) + 1):
        if i < len(first) and first[i] == first[i - 1] and second[i] == second[i - 1]:
            continue
        slot = _slot(pairs, counts, np.uint64(first[start]), np.uint64(second[start]))
        used += counts[slot] == 0
        counts[slot] += i - start
        if 2 * used > len(counts):
            pairs, counts = _doubled(pairs, counts)
        start = i
    found = counts > 0
    return pairs[found, 0], pairs[found, 1], counts[found]


@njit(nogil=True)
def _slot(pairs, counts, a, b):  # type: ignore[no-untyped-def]
    """The slot of a pair; a free one is given its name."""
    spread = a * _SPREAD_A
    spread = ((spread ^ (spread >> _HALF)) + b) * _SPREAD_B
    last = np.uint64(len(counts) - 1)
    slot = (spread ^ (spread >> _HALF)) & last
    while counts[slot] and (pairs[slot, 0] != a or pairs[slot, 1] != b):
        slot = (slot + np.uint64(1)) & last
    pairs[slot, 0], pairs[slot, 1] = a, b
    return slot


@njit(nogil=True)
def _doubled(pairs, counts):  # type: ignore[no-untyped-def]
    more_pairs, more_counts = np.empty((2 * len(counts), 2), np.uint64), np.zeros(2 * len(counts), np.int64)
    for old in range(len(counts)):
        if counts[old]:
            more_counts[_slot(more_pairs, more_counts, pairs[old, 0], pairs[old, 1])] = counts[old]
    return more_pairs, more_counts
