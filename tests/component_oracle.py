"""Components of a whole volume at once, as scikit-image labels them, named by their first voxels."""

from __future__ import annotations

import numpy as np
from skimage.measure import label


def components_named(bodies: np.ndarray) -> np.ndarray:
    """For each voxel the number (C order, from 1) of the first voxel of its component; 0 where there is no body."""
    _, small = np.unique(bodies, return_inverse=True)
    small = small.reshape(bodies.shape) + 1
    small[bodies == 0] = 0
    found = label(small, background=0, connectivity=1)
    _, first, which = np.unique(found, return_index=True, return_inverse=True)
    named = (first.astype(np.uint64) + np.uint64(1))[which.reshape(bodies.shape)]
    named[bodies == 0] = 0
    return named
