"""What `kernels/block_decoder.py` computes: the voxels of a DVID label block from its parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.array_types import Counts, Ids, Labels64
from emseg.kernels.sub_blocks import PER_AXIS, SUB_BLOCK_VOXELS, SUB_VOX


def fill_block(rows: Labels64, sub_labels: Ids, numbers: Counts, values: npt.NDArray[np.uint8]) -> bool:
    """Write the voxels of a block, `rows`, (64, 64, 8, 8); False if a value stands for no label of its sub-block.

    The first sub-block has the labels 5 and 9, and a bit for each voxel says which; the others have label 5 alone:

    >>> rows = np.empty((64, 64, 8, 8), np.uint64)
    >>> sub_labels = np.array([5, 9] + [5] * 511, np.uint64)
    >>> values = np.array([0b01000000] + [0] * 63, np.uint8)
    >>> fill_block(rows, sub_labels, np.array([2] + [1] * 511), values)
    True
    >>> rows[0, 0, 0].tolist(), int((rows == 9).sum())
    ([5, 9, 5, 5, 5, 5, 5, 5], 1)
    """
    first, at = 0, 0
    for number, (z, y, x) in zip(numbers.tolist(), np.ndindex(PER_AXIS, PER_AXIS, PER_AXIS), strict=True):
        labels = sub_labels[first : first + number] if number else np.zeros(1, np.uint64)  # DVID's for "only label 0"
        first += number
        bits = (len(labels) - 1).bit_length()
        its_values = _unpacked(values[at : at + SUB_BLOCK_VOXELS * bits // 8], bits)
        at += SUB_BLOCK_VOXELS * bits // 8
        if its_values.max() >= len(labels):
            return False
        rows[SUB_VOX * z : SUB_VOX * (z + 1), SUB_VOX * y : SUB_VOX * (y + 1), x] = labels[its_values].reshape(8, 8, 8)
    return True


def _unpacked(values: npt.NDArray[np.uint8], bits: int) -> Counts:
    """The 512 values of so many bits each, most significant bit first."""
    return np.unpackbits(values).reshape(SUB_BLOCK_VOXELS, bits) @ (1 << np.arange(bits)[::-1])
