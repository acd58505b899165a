"""What `kernels/downsample.py` computes."""

from __future__ import annotations

import numpy as np

from emseg.array_types import Ids, Labels32, Labels64


def fill_modes(labels: Labels32 | Labels64, ids: Ids | None, half: Labels64) -> None:
    """Write to each voxel of `half` the most frequent label above 0 of its 2 x 2 x 2, the smallest of equals; else 0.

    Where there are `ids`, label `n` stands for `ids[n]`. Seven zeros do not outvote a 9; of 5 and 7, twice each, 5 is
    taken:

    >>> labels = np.array([[[0, 0, 7, 7], [0, 0, 5, 5]], [[0, 0, 1, 0], [0, 9, 0, 0]]], np.uint64)
    >>> half = np.empty((1, 1, 2), np.uint64)
    >>> fill_modes(labels, None, half)
    >>> half.tolist()
    [[[9, 5]]]
    """
    voxels = labels if ids is None else ids[labels]
    for z, y, x in np.ndindex(half.shape):
        eight = voxels[2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        # `found` is ascending, and argmax takes the first of equals
        found, votes = np.unique(eight[eight > 0], return_counts=True)
        half[z, y, x] = found[votes.argmax()] if len(found) else 0
