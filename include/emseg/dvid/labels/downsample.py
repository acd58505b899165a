"""Labels at half the resolution, for the coarser scales of a labelmap."""

from __future__ import annotations

import numpy as np

from emseg.array_types import Ids, Labels32, Labels64
from emseg.errors import PermanentError
from emseg.kernels.downsample import fill_modes


def downsample_labels(
    labels: Labels32 | Labels64,
    ids: Ids | None = None,
    into: Labels64 | None = None,
) -> Labels64:
    """Half of a ZYX array with even sides: each voxel is the most frequent label of its 2 x 2 x 2.

    Worked: 0 0 0 0 0 7 7 5 -> 7; 7 7 7 5 5 5 0 0 -> 5. Zeros are ignored unless all eight are 0, and of equally
    frequent labels the smallest is taken. DVID computes coarser scales by this rule, too, when proofreaders change
    voxels, so its voxels and ours agree.

    Labels are uint64, or uint32 indices in `ids`, which are all different and have an id for each. The result is in
    `into` if given, of half the shape, wherever it lies. `PermanentError` for other dtypes and for odd sides.
    """
    if (
        labels.ndim != 3
        or labels.dtype != (np.uint64 if ids is None else np.uint32)
        or any(n % 2 for n in labels.shape)
    ):
        raise PermanentError(
            "downsampling labels",
            "an array",
            f"it is {labels.dtype} of shape {labels.shape}",
            "Give uint64 ZYX, or uint32 with ids, with even sides",
        )
    half = np.empty(tuple(n // 2 for n in labels.shape), np.uint64) if into is None else into
    fill_modes(labels, ids, half)
    return half
