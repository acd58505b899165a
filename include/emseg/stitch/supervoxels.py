"""Supervoxel ids as a function of place: `cell number << 24 | local label`, below 2^48.

48 bits is the largest label later DVID builds accept. Worked example: label 5 of cell 3 is 3 * 2^24 + 5 = 50331653.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.errors import PermanentError

LOCAL_BITS = 24
MAX_LOCAL = (1 << LOCAL_BITS) - 1


def supervoxel_ids(
    labels: npt.NDArray[np.uint32], cell_number: int, into: npt.NDArray[np.uint64] | None = None
) -> npt.NDArray[np.uint64]:
    """Ids of the local `labels` (up to three axes, 0 = none) of one cell; 0 stays 0. Labels above 2^24-1 are refused.

    They are written to `into`, of that shape, wherever it lies.
    """
    ids = np.empty(labels.shape, np.uint64) if into is None else into
    axes = (None,) * (3 - labels.ndim)
    largest = int(_name(labels[axes], np.uint64(cell_number << LOCAL_BITS), ids[axes]))
    if largest > MAX_LOCAL:
        raise PermanentError(
            "naming supervoxels",
            f"cell {cell_number}",
            f"local label {largest}, but ids have room for {MAX_LOCAL}",
            "Use a smaller core, or a step that makes fewer supervoxels",
        )
    return ids


@njit(cache=True, nogil=True)
def _name(labels, first, ids):  # type: ignore[no-untyped-def]
    """Write the ids of one cell, and return its largest label."""
    largest = np.uint32(0)
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[z, y, x]
                largest = max(largest, label)
                ids[z, y, x] = first | label if label else np.uint64(0)
    return largest


def cells_of(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Cell number of each supervoxel id."""
    return (ids >> np.uint64(LOCAL_BITS)).astype(np.int64)


def is_among(ids: npt.NDArray[np.uint64], ascending: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which of `ids` (any shape) are in `ascending`: several times as fast as a hash of millions of ids."""
    if len(ascending) == 0:
        return np.zeros(ids.shape, bool)
    found: npt.NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)] == ids
    return found
