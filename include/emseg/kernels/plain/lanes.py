"""What the vector instructions of `kernels/lanes.py` compute. Bit 0 of a result, the lowest, is for the first voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def unequal(array: Array, one: int, other: int) -> int:
    """Bits of the voxels that differ between two runs of eight in a line: here the last voxel, so the highest bit.

    >>> line = np.array([5, 5, 5, 5, 5, 5, 5, 5, 7])
    >>> bin(unequal(line, 1, 0))
    '0b10000000'
    """
    return _as_bits(array[one : one + 8] != array[other : other + 8])


def blend(array: Array, to: int, zero: int, one: int, bits: int) -> None:
    """Eight voxels of a line become those from `one` where a bit is set, and those from `zero` where it is not.

    >>> line = np.arange(100, 124)
    >>> blend(line, 16, zero=0, one=8, bits=0b00000011)
    >>> line[16:].tolist()
    [108, 109, 102, 103, 104, 105, 106, 107]
    """
    array[to : to + 8] = np.where(_as_flags(bits), array[one : one + 8], array[zero : zero + 8])


def unlike(rows: Array, z: int, y: int, x: int, label: int) -> int:
    """Bits of the 64 voxels of eight rows along y that are not `label`: here voxel 2 of the second row, so bit 10.

    >>> voxels = np.full((1, 8, 8), 5, np.uint32)
    >>> voxels[0, 1, 2] = 7
    >>> rows = voxels.view(np.dtype([("voxels", np.uint32, (8,))]))
    >>> unlike(rows, 0, 0, 0, label=5) == 1 << 10
    True
    """
    return _as_bits(rows["voxels"][z, y : y + 8, x] != label)


def ones(word: int) -> int:
    """How many bits are set.

    >>> ones(0b1011)
    3
    """
    return int(word).bit_count()


def mirrored(word: int) -> int:
    """A word with the bits of each of its eight bytes in reverse order.

    >>> hex(mirrored(0x0180))
    '0x8001'
    """
    bits = np.unpackbits(np.array([word], "<u8").view(np.uint8), bitorder="little")
    return int(np.packbits(bits, bitorder="big").view("<u8")[0])


def prefetch(rows: Array, z: int, y: int, x: int) -> None:
    """Compute nothing: the kernel reads ahead.

    >>> prefetch(np.zeros((1, 8, 1)), 0, 0, 0)
    """


def _as_bits(flags: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _as_flags(bits: int) -> npt.NDArray[np.bool_]:
    return np.array([bits >> j & 1 for j in range(8)], bool)
