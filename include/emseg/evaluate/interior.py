"""The interior variant of an evaluation: without the voxels at borders, where ground truth itself is unsure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def interior_mask(groundtruth: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """True for voxels with no 6-neighbour of another label; beyond the array there is no other label.

    Ground truth drawn without a membrane class puts each border anywhere in the membrane: one voxel more or less there
    costs about 0.5 bit of VI on fly tissue. Score `contingency_table(seg[mask], truth[mask])` to leave that out.
    """
    inside = np.ones(groundtruth.shape, bool)
    for axis in range(groundtruth.ndim):
        truth, result = np.moveaxis(groundtruth, axis, 0), np.moveaxis(inside, axis, 0)
        differs = truth[1:] != truth[:-1]
        result[1:] &= ~differs
        result[:-1] &= ~differs
    return inside
