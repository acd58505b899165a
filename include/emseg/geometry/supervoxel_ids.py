"""Supervoxel ids: `cell number << 24 | local label`, below 2^48. The one place that knows of 24 and of 48 bits.

48 bits is the largest label later DVID builds accept. Worked example: label 5 of cell 3 is 3 * 2^24 + 5 = 50331653.
"""

from __future__ import annotations

import numpy as np

from emseg.array_types import Counts, Ids, Labels32, Labels64
from emseg.errors import PermanentError

LOCAL_BITS = 24
MAX_LOCAL = (1 << LOCAL_BITS) - 1
"""Labels that a subvolume may have."""
MAX_LABEL = 1 << 48
"""Every supervoxel and body is below it."""
MAX_CELLS = MAX_LABEL >> LOCAL_BITS
"""Cells that a grid may have: what is left of 48 bits beside the local label."""


def supervoxel_ids(labels: Labels32, cell_number: int) -> Labels64:
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


def cells_of(ids: Ids) -> Counts:
    """Cell number of each supervoxel id."""
    return (ids >> np.uint64(LOCAL_BITS)).astype(np.int64)
