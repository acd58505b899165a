"""What `kernels/label_pairs.py` computes."""

from __future__ import annotations

import numpy as np

from emseg.array_types import AnyLabels, Counts, Ids


def count_pairs(first: AnyLabels, second: AnyLabels) -> tuple[Ids, Ids, Counts]:
    """Pairs of labels at the same voxel, ascending, and the voxels of each.

    Label 5 meets 1 in one voxel and 2 in another, and 7 meets 2:

    >>> a, b, voxels = count_pairs(np.array([5, 5, 7]), np.array([1, 2, 2]))
    >>> a.tolist(), b.tolist(), voxels.tolist()
    ([5, 5, 7], [1, 2, 2], [1, 1, 1])
    """
    pairs = np.stack([first.ravel().astype(np.uint64), second.ravel().astype(np.uint64)])
    (a, b), voxels = np.unique(pairs, axis=1, return_counts=True)
    return a, b, voxels


def count_touching(labels: AnyLabels, axis: int) -> tuple[Ids, Ids, Counts]:
    """Pairs of different labels above 0 that touch across an axis, smaller label first, and the faces between them.

    >>> low, high, faces = count_touching(np.array([[[7, 5, 5, 7, 0, 7]]]), axis=2)
    >>> low.tolist(), high.tolist(), faces.tolist()
    ([5], [7], [2])
    """
    layers = np.moveaxis(labels, axis, 0)
    here, after = layers[:-1], layers[1:]
    touch = (here != after) & (here > 0) & (after > 0)
    return count_pairs(np.minimum(here, after)[touch], np.maximum(here, after)[touch])
