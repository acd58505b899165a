"""One name for each kind of array: what it holds, and so its dtype.

Volumes are ZYX arrays of voxels: `Gray`, `Labels32`, `Labels64`, `AnyLabels`, `Mask`, `Probability`. Columns are lists
with one entry a row of a table: `Ids`, `Counts`, `Flags`, `Floats`. Functions that work voxel by voxel take any shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
"""Grayscale, 0 (black) to 255."""
Labels32 = npt.NDArray[np.uint32]
"""Labels of one subvolume, local to it; 0 is no label."""
Labels64 = npt.NDArray[np.uint64]
"""Supervoxels or bodies as DVID keeps them; 0 is none."""
AnyLabels = npt.NDArray[np.integer[Any]]
"""Labels of any unsigned or non-negative integer dtype."""
Mask = npt.NDArray[np.bool_]
"""Which voxels are meant."""
Probability = npt.NDArray[np.float32]
"""Boundary probability, 0 to 1."""

Ids = npt.NDArray[np.uint64]
"""Ids of supervoxels, bodies or segments."""
Counts = npt.NDArray[np.int64]
"""Numbers of voxels or rows, and numbers of cells."""
Flags = npt.NDArray[np.bool_]
"""Which rows are meant."""
Floats = npt.NDArray[np.float64]
"""Shares, areas, bits."""
