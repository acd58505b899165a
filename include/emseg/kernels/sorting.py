"""Sorting and searching for compiled functions, which must not use NumPy's.

Do not use `np.sort`, `np.searchsorted` and their kin in a compiled function. Numba puts helpers behind them that have
the same names for different meanings, told apart by a number that counts up in each process. A helper from the disk can
be linked in place of another, and labels came out unsorted.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True)
def ascending(labels):  # type: ignore[no-untyped-def]
    """A sorted copy of uint64 labels, made by heap sort."""
    heap = np.empty(len(labels), np.uint64)
    for i in range(len(labels)):
        heap[i] = labels[i]
    for root in range(len(heap) // 2 - 1, -1, -1):
        _sift(heap, heap[root], root, len(heap))
    for end in range(len(heap) - 1, 0, -1):
        label = heap[end]
        heap[end] = heap[0]
        _sift(heap, label, 0, end)
    return heap


@njit(nogil=True)
def _sift(heap, label, root, end):  # type: ignore[no-untyped-def]
    """Put `label` where it belongs in the heap below `root`, which ends before `end`."""
    child = 2 * root + 1
    while child < end:
        if child + 1 < end and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= label:
            break
        heap[root] = heap[child]
        root, child = child, 2 * child + 1
    heap[root] = label


@njit(nogil=True)
def index_in(labels, label):  # type: ignore[no-untyped-def]
    """The index of `label` in ascending `labels` that hold it: 1 for 5 in 2 5 9."""
    first, last = 0, len(labels) - 1
    while first < last:
        middle = (first + last) // 2
        if labels[middle] < label:
            first = middle + 1
        else:
            last = middle
    return first
