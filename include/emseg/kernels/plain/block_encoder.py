"""What `kernels/block_encoder.py` computes: the parts of a DVID label block, in the order of its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.array_types import Ids
from emseg.kernels.sub_blocks import PER_AXIS, SUB_VOX


def encoded_block(rows: npt.NDArray[Any], ids: Ids | None) -> tuple[npt.NDArray[Any], ...]:
    """The labels of a block, the voxels of each, and the number of labels, their indices and the values of sub-blocks.

    The example of `dvid/labels/block.py`: label 5 everywhere, but 9 in voxel (0, 0, 1). The first sub-block has both
    labels, so its voxels have a bit each. The others have label 5 alone and no values.

    >>> labels = np.full((64, 64, 64), 5, np.uint64)
    >>> labels[0, 0, 1] = 9
    >>> rows = labels.view(np.dtype([("voxels", np.uint64, (8,))]))
    >>> labels, voxels, numbers, indices, values = encoded_block(rows, None)
    >>> labels.tolist(), voxels.tolist(), numbers[:3].tolist(), indices[:4].tolist(), len(indices)
    ([5, 9], [262143, 1], [2, 1, 1], [0, 1, 0, 0], 513)
    >>> f"{values[0]:08b}", set(values[1:].tolist()), len(values)
    ('01000000', {0}, 64)
    """
    voxels = rows["voxels"].reshape([PER_AXIS * SUB_VOX] * 3)
    voxels = voxels.astype(np.uint64) if ids is None else ids[voxels]
    labels, counts = np.unique(voxels, return_counts=True)
    numbers, indices, values = [], [], []
    for z, y, x in np.ndindex(PER_AXIS, PER_AXIS, PER_AXIS):
        sub_block = voxels[tuple(slice(SUB_VOX * i, SUB_VOX * (i + 1)) for i in (z, y, x))].ravel()
        its_labels, its_values = np.unique(sub_block, return_inverse=True)
        numbers.append(len(its_labels))
        indices.append(np.searchsorted(labels, its_labels))
        values.append(_packed(its_values, bits=(len(its_labels) - 1).bit_length()))
    of_sub_blocks = np.array(numbers, np.uint16), np.concatenate(indices).astype(np.uint32), np.concatenate(values)
    return labels, counts.astype(np.uint32), *of_sub_blocks


def _packed(values: npt.NDArray[np.intp], bits: int) -> npt.NDArray[np.uint8]:
    """Values of so many bits each as bytes, most significant bit first."""
    return np.packbits(values[:, None] >> np.arange(bits)[::-1] & 1)
