"""The container of stored arrays: a header with a checksum of its own, then the chunks of the array.

For example, a uint16 array of shape (1, 1) has 44 bytes of header and one chunk. All is little-endian:

    magic        4 bytes        EMSA
    layout       u8             what a chunk is: 0 for `encode_array`, 1 for `encode_labels`
    dtype        u8             a key of `DTYPES`
    dimensions   u8
    reserved     u8             0
    chunk bytes  u32            bytes of the C-ordered array that one chunk holds; the last chunk holds the rest
    chunks       u32
    shape        u64 an axis
    chunk table  2 u32 a chunk  its stored size and a CRC-32
    checksum     u32            the CRC-32 of all before
    chunks
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from emseg.errors import IntegrityError

MAX_BYTES = 64 << 30
"""Bytes of the largest array. A header that claims more is refused before anything is allocated."""
MAX_DIMENSIONS = 5
DTYPES = {
    code: np.dtype(name)
    for code, name in enumerate(("?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"))
}
_MAGIC, _HEAD = b"EMSA", struct.Struct("<4sBBBBII")


@dataclass(frozen=True)
class Header:
    """A header whose checksum, sizes and length agree. The chunks begin at byte `end`."""

    layout: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunk_bytes: int
    sizes: tuple[int, ...]
    checksums: tuple[int, ...]
    end: int

    @property
    def raw_bytes(self) -> int:
        """Bytes of the array."""
        return prod(self.shape) * self.dtype.itemsize

    def raw_bytes_of(self, chunk: int) -> int:
        """Bytes of the array that are in one chunk."""
        return min(self.chunk_bytes, self.raw_bytes - chunk * self.chunk_bytes)


def dtype_code(dtype: np.dtype[Any]) -> int | None:
    """The code of a little-endian dtype; None for one that cannot be stored."""
    return next((code for code, known in DTYPES.items() if known == dtype), None)


def is_allowed(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether NumPy can make the array, within `MAX_DIMENSIONS` and `MAX_BYTES`; an axis of length 0 counts as 1."""
    return len(shape) <= MAX_DIMENSIONS and prod(n or 1 for n in shape) * dtype.itemsize <= MAX_BYTES


def packed(
    layout: int, array: npt.NDArray[Any], chunk_bytes: int, chunks: Sequence[bytes], checksums: Sequence[int]
) -> bytes:
    """Header and chunks of an array of an allowed dtype and shape."""
    table = [number for size_and_sum in zip(map(len, chunks), checksums, strict=True) for number in size_and_sum]
    head = _HEAD.pack(_MAGIC, layout, dtype_code(array.dtype), array.ndim, 0, chunk_bytes, len(chunks))
    head += struct.pack(f"<{array.ndim}Q{len(table)}I", *array.shape, *table)
    return b"".join([head, struct.pack("<I", crc32(head)), *chunks])


def header_of(data: bytes) -> Header:
    """The header of `data`; `IntegrityError` unless its checksum, the sizes it claims and the bytes of `data` agree."""
    if len(data) < _HEAD.size:
        raise damaged(data, "too short for a header")
    magic, layout, code, dimensions, _, chunk_bytes, chunks = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise damaged(data, f"magic {magic!r}, not {_MAGIC!r}")
    end = _HEAD.size + 8 * dimensions + 8 * chunks
    if len(data) < end + 4 or crc32(memoryview(data)[:end]) != int.from_bytes(data[end : end + 4], "little"):
        raise damaged(data, "the header does not match its checksum")
    if code not in DTYPES or chunk_bytes == 0:
        raise damaged(data, f"dtype {code}, chunks of {chunk_bytes} bytes")
    shape = struct.unpack_from(f"<{dimensions}Q", data, _HEAD.size)
    table = struct.unpack_from(f"<{2 * chunks}I", data, _HEAD.size + 8 * dimensions)
    header = Header(layout, DTYPES[code], shape, chunk_bytes, table[::2], table[1::2], end + 4)
    if not is_allowed(shape, header.dtype) or chunks != -(-header.raw_bytes // chunk_bytes):
        raise damaged(data, f"shape {shape} in {chunks} chunks of {chunk_bytes} bytes")
    if sum(header.sizes) != len(data) - header.end:
        raise damaged(data, f"{len(data) - header.end} bytes of chunks, the header says {sum(header.sizes)}")
    return header


def damaged(data: bytes, found: str) -> IntegrityError:
    """The error that every reader of a stored array raises; `found` says what is wrong."""
    return IntegrityError(
        "decoding an array", f"{len(data)} bytes", found, "Set the object aside and compute its item again"
    )
