"""Supervoxel ids as a function of place: `cell number << 24 | local label`, below 2^48.

48 bits is the largest label later DVID builds accept. Worked example: label 5 of cell 3 is 3 * 2^24 + 5 = 50331653.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError

LOCAL_BITS = 24
MAX_LOCAL = (1 << LOCAL_BITS) - 1


def supervoxel_ids(labels: npt.NDArray[np.uint32], cell_number: int) -> npt.NDArray[np.uint64]:
    """Ids of the local `labels` (any shape, 0 = none) of one cell; 0 stays 0. Labels above 2^24-1 are refused."""
    largest = int(labels.max(initial=0))
    if largest > MAX_LOCAL:
        raise PermanentError(
            "naming supervoxels",
            f"cell {cell_number}",
            f"local label {largest}, but ids have room for {MAX_LOCAL}",
            "Use a smaller core, or a step that makes fewer supervoxels",
        )
    ids = labels.astype(np.uint64)
    return np.where(ids == 0, ids, ids | np.uint64(cell_number << LOCAL_BITS))


def cells_of(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Cell number of each supervoxel id."""
    return (ids >> np.uint64(LOCAL_BITS)).astype(np.int64)


def is_among(ids: npt.NDArray[np.uint64], ascending: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which of `ids` (any shape) are in `ascending`: several times as fast as a hash of millions of ids."""
    if len(ascending) == 0:
        return np.zeros(ids.shape, bool)
    found: npt.NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)] == ids
    return found
