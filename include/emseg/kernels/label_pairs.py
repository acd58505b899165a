"""Counting pairs of labels: those at the same voxels of two volumes, and those that touch inside one volume.

Evaluation, overlap votes and contacts of supervoxels use them. Both count in a hash table of pairs, which is doubled
when it is half full. The twin, `plain/label_pairs.py`, says in a few lines what comes out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.array_types import AnyLabels, Counts, Ids
from emseg.kernels.compiled import compiled
from emseg.kernels.lanes import LANES, LOWEST, unequal

_FIRST_SLOTS = 1024
_NONE, _ONE, _LANES, _ALL = np.uint64(0), np.uint64(1), np.uint64(LANES), np.uint64((1 << LANES) - 1)
_SPREAD_A, _SPREAD_B, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(32)


def count_pairs(first: AnyLabels, second: AnyLabels) -> tuple[Ids, Ids, Counts]:
    """Pairs of labels at the same voxel of two arrays of one shape, ascending, and the voxels of each.

    Worked example: `5 5 7` and `1 2 2` give (5, 1): 1, (5, 2): 1, (7, 2): 1. The labels have any integer dtype without
    negative ones, up to 2^64 - 1. Callers check that the shapes agree, because compiled code would read past the end of
    the shorter array. Labels come in runs along the last axis: a run is one look into the hash table, and only the
    pairs that were found are sorted.
    """
    a, b, counts = _tallied(np.ravel(first), np.ravel(second))
    order = np.lexsort((b, a))
    return a[order], b[order], counts[order]


def count_touching(labels: npt.NDArray[np.unsignedinteger], axis: int) -> tuple[Ids, Ids, Counts]:
    """Pairs of labels above 0 that touch across `axis` (0 to 2) of a ZYX array, smaller label first, and the faces.

    Worked example: in `5 5 7 0` labels 5 and 7 touch along the last axis over one face. Each pair comes once, in no
    order.
    """
    low, high, faces = _touching(np.ravel(labels), np.array(labels.shape, np.uint64), axis)
    return low, high, faces


@compiled
def _tallied(first, second):  # type: ignore[no-untyped-def]
    """Pairs and their voxels, in no order."""
    pairs, counts = np.empty((_FIRST_SLOTS, 2), np.uint64), np.zeros(_FIRST_SLOTS, np.int64)
    at, start, used = _ONE, _NONE, 0
    while at <= len(first):
        at, start, used = _fill(first, second, at, start, pairs, counts, used)
        if at <= len(first):
            pairs, counts = _doubled(pairs, counts)
    found = counts > 0
    return pairs[found, 0], pairs[found, 1], counts[found]


@njit(nogil=True)
def _fill(first, second, at, start, pairs, counts, used):  # type: ignore[no-untyped-def]
    """Count runs from voxel `at` on, the first of which begins at `start`, until the table is half full or all is done.

    It returns how far it came, and does not replace the table itself: Numba would count references in every step.
    """
    voxels = np.uint64(len(first))
    while at <= voxels and 2 * used <= len(counts) - 2 * LANES:
        if at + _LANES <= voxels:
            ends = unequal(first, at, at - _ONE) | unequal(second, at, at - _ONE)
        else:
            ends = _last_ends(first, second, at)
        while ends:
            end = at + np.uint64(LOWEST[ends])
            ends &= ends - _ONE
            slot = _slot(pairs, counts, np.uint64(first[start]), np.uint64(second[start]))
            used += counts[slot] == 0
            counts[slot] += np.int64(end - start)
            start = end
        at += _LANES
    return at, start, used


@njit(nogil=True)
def _last_ends(first, second, i):  # type: ignore[no-untyped-def]
    """Bits of the last voxels, fewer than eight from `i` on, before which a run ends; one ends after the last voxel."""
    ends = _ONE << (np.uint64(len(first)) - i)
    for j in range(np.uint64(len(first)) - i):
        k = i + j
        ends |= np.uint64((first[k] != first[k - _ONE]) | (second[k] != second[k - _ONE])) << j
    return ends


@compiled
def _touching(labels, shape, axis):  # type: ignore[no-untyped-def]
    """`count_touching` of voxels in C order."""
    pairs, counts = np.empty((_FIRST_SLOTS, 2), np.uint64), np.zeros(_FIRST_SLOTS, np.int64)
    row, rows, used = _NONE, shape[0] * shape[1], 0
    while row < rows:
        row, used = _fill_touching(labels, shape, axis, row, pairs, counts, used)
        if row < rows:
            pairs, counts = _doubled(pairs, counts)
    found = counts > 0
    return pairs[found, 0], pairs[found, 1], counts[found]


@njit(nogil=True)
def _fill_touching(labels, shape, axis, row, pairs, counts, used):  # type: ignore[no-untyped-def]
    """Count the contacts of the voxels of each row with those after them, from `row` on, while the table has room."""
    length, voxels = shape[2], np.uint64(len(labels))
    step = (shape[1] * length, length, _ONE)[axis]
    while row < shape[0] * shape[1] and 2 * (np.uint64(used) + length) <= np.uint64(len(counts)):
        start = row * length
        stop = start + length - np.uint64(axis == 2)
        row += _ONE
        if (axis == 0 and row > (shape[0] - _ONE) * shape[1]) or (axis == 1 and row % shape[1] == 0):
            continue
        for i in range(start, stop, _LANES):
            bits = unequal(labels, i, i + step) if i + step + _LANES <= voxels else _ALL
            if i + _LANES > stop:
                bits &= _ALL >> (_LANES - (stop - i))
            while bits:
                k = i + np.uint64(LOWEST[bits])
                bits &= bits - _ONE
                a, b = np.uint64(labels[k]), np.uint64(labels[k + step])
                if a != b and min(a, b) > 0:
                    slot = _slot(pairs, counts, min(a, b), max(a, b))
                    used += counts[slot] == 0
                    counts[slot] += 1
    return row, used


@njit(forceinline=True, nogil=True)
def _slot(pairs, counts, a, b):  # type: ignore[no-untyped-def]
    """The slot of a pair: open addressing. If it is free, the pair is written to it."""
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
