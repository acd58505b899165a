"""Runs of flagged sections along Z."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Flags = npt.NDArray[np.bool_]


def runs(where: Flags) -> Iterator[tuple[int, int]]:
    """Half-open runs of True in one row: `0 1 1 0 1` has (1, 3) and (4, 5)."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    yield from zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True)


def short_runs(where: Flags, longest: int) -> Flags:
    """Those flags that lie in runs along Z of at most `longest` sections."""
    if longest + 1 > len(where):
        return where.copy()
    long: Flags = ndimage.binary_opening(where, np.ones((longest + 1, *(1,) * (where.ndim - 1)), bool))
    return where & ~long


def inner_runs(where: Flags, longest: int) -> Flags:
    """Short runs that have sections before and after them: a run at an end is the edge of the volume."""
    out = short_runs(where, longest)
    for end in (out, out[::-1]):
        touching = np.logical_and.accumulate(end, axis=0)
        end[touching] = False
    return out
