"""The container of stored arrays: a header that checks itself, then chunks. What a chunk is, the layout byte says.

Little-endian: `EMSA`, layout u8, dtype code u8, dimensions u8, 0 u8, chunk bytes u32, chunks u32, shape u64 each, then
per chunk its stored size u32 and a CRC-32 u32, then the CRC-32 of all that u32; then the chunks. A chunk holds `chunk
bytes` bytes (the last one the rest) of the C-ordered array.
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
"""Largest array, in bytes: a header that claims more is refused before anything is allocated."""
MAX_DIMENSIONS = 5
DTYPES = {
    code: np.dtype(name)
    for code, name in enumerate(("?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"))
}
_MAGIC, _HEAD = b"EMSA", struct.Struct("<4sBBBBII")


@dataclass(frozen=True)
class Header:
    """A header whose checksum, sizes and length agree; `end` is the byte after it, where the chunks begin."""

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
    """Whether numpy can make the array and it is within the caps; axes of length 0 do not excuse the others."""
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
    """The header, believed only when its checksum, the sizes it claims and the length of `data` agree."""
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
    """The error of every reader of a stored array."""
    return IntegrityError(
        "decoding an array", f"{len(data)} bytes", found, "Set the object aside and compute its item again"
    )
