"""Numeric arrays as bytes that say their shape and dtype and have checksums: what phases keep in the object store.

There are two layouts, both chunks in the container of `container.py`. `decode_array` reads either.

`encode_array` makes layout 0, for images and probabilities: LZ4 blocks of up to 4 MiB of the array, with the CRC-32 of
the raw bytes of each. `encode_labels` makes layout 1, for ids: chunks of 4 Mi voxels, packed by `label_chunks.py`, with
the CRC-32 of the stored bytes of each. Labels mostly equal their neighbours, and layout 1 stores where they do not: it
is several times smaller than what general codecs make, and as fast (`python -m benchmarks label_codecs`).
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import lz4.block
import numpy as np
import numpy.typing as npt

from emseg.codec.container import Header, damaged, dtype_code, header_of, is_allowed, packed
from emseg.codec.label_chunks import LZ4_MAX_RATIO, ChunkError, check_chunk, neighbours, pack_labels, unpack_labels
from emseg.errors import PermanentError

_PLAIN, _LABELS = 0, 1
_CHUNK_BYTES = 4 << 20
_CHUNK_VOXELS = 4 << 20


def encode_array(array: npt.NDArray[Any]) -> bytes:
    """Bytes of an array of any order and strides, 0 to 5 dimensions, bool, (u)int8-64 or float16-64.

    Equal arrays give equal bytes, also those of another byte order. `PermanentError` for any other dtype or more than
    64 GiB. Peak memory: twice the encoded bytes, 8 MiB, and a copy of an array that is not C-ordered and little-endian.
    """
    array = _normalised(array, "?uif", "bool, integer or float")
    raw = array.reshape(-1).view(np.uint8)
    chunks, checksums = [], []
    for at in range(0, raw.size, _CHUNK_BYTES):
        chunk = raw.data[at : at + _CHUNK_BYTES]
        chunks.append(lz4.block.compress(chunk, store_size=False))
        checksums.append(crc32(chunk))
    return packed(_PLAIN, array, _CHUNK_BYTES, chunks, checksums)


def encode_labels(labels: npt.NDArray[Any]) -> bytes:
    """Bytes of labels (ids) of any order and strides, 0 to 5 dimensions, uint8-64 up to 2^64 - 1; for `decode_array`.

    Equal arrays give equal bytes. Chunks of noise are stored as LZ4, so no array grows by more than LZ4's 0.4 %.
    `PermanentError` for any other dtype or more than 64 GiB. Peak memory: twice the encoded bytes, 1.6 bytes a voxel of
    a chunk (7 MB), and a copy of an array that is not C-ordered and little-endian.
    """
    labels = _normalised(labels, "u", "an unsigned integer")
    back, line = neighbours(labels.shape), labels.reshape(-1)
    parts = range(0, line.size, _CHUNK_VOXELS)
    chunks = [pack_labels(line[at : at + _CHUNK_VOXELS], back) for at in parts]
    return packed(_LABELS, labels, _CHUNK_VOXELS * labels.itemsize, chunks, [crc32(chunk) for chunk in chunks])


def decode_array(data: bytes) -> npt.NDArray[Any]:
    """The array that was encoded: own memory, writable, C order. `IntegrityError` if a byte is not as written.

    The array is allocated only when the header is known to be whole, and the chunks to be large enough for what it
    claims. Peak memory: the array, and 36 MiB for one chunk.
    """
    header = header_of(data)
    decode = {_PLAIN: _decode_plain, _LABELS: _decode_labels}.get(header.layout)
    if decode is None:
        raise damaged(data, f"layout {header.layout}, known are {_PLAIN} and {_LABELS}")
    return decode(data, header)


def _normalised(array: npt.NDArray[Any], kinds: str, wanted: str) -> npt.NDArray[Any]:
    """The array in C order and little-endian; a copy only if it is not so already."""
    dtype = array.dtype.newbyteorder("<")
    if dtype.kind not in kinds.replace("?", "b") or dtype_code(dtype) is None or not is_allowed(array.shape, dtype):
        raise PermanentError(
            "encoding an array",
            f"{array.dtype} {array.shape}",
            f"not {wanted} of up to 64 bits, or over 5 dimensions or 64 GiB",
            "Convert the array, or cut it",
        )
    return np.asarray(array, dtype, order="C")


def _decode_plain(data: bytes, header: Header) -> npt.NDArray[Any]:
    if header.chunk_bytes != _CHUNK_BYTES or header.raw_bytes > LZ4_MAX_RATIO * len(data):
        raise damaged(data, f"{header.raw_bytes} bytes of array in chunks of {header.chunk_bytes} bytes")
    array = np.empty(header.shape, header.dtype)
    raw, at = array.reshape(-1).view(np.uint8), header.end
    for number, (size, checksum) in enumerate(zip(header.sizes, header.checksums, strict=True)):
        part = raw[number * _CHUNK_BYTES : (number + 1) * _CHUNK_BYTES]
        try:
            chunk = lz4.block.decompress(memoryview(data)[at : at + size], uncompressed_size=part.size)
        except lz4.block.LZ4BlockError:
            raise damaged(data, f"chunk {number} is not LZ4") from None
        if len(chunk) != part.size or crc32(chunk) != checksum:
            raise damaged(data, f"chunk {number} does not match its checksum")
        part[:] = np.frombuffer(chunk, np.uint8)
        at += size
    return array


def _decode_labels(data: bytes, header: Header) -> npt.NDArray[Any]:
    itemsize = header.dtype.itemsize
    if header.dtype.kind != "u" or header.chunk_bytes != _CHUNK_VOXELS * itemsize:
        raise damaged(data, f"{header.dtype} labels in chunks of {header.chunk_bytes} bytes")
    chunks, at = [], header.end
    for number, (size, checksum) in enumerate(zip(header.sizes, header.checksums, strict=True)):
        chunks.append(memoryview(data)[at : at + size])
        at += size
        if crc32(chunks[-1]) != checksum:
            raise damaged(data, f"chunk {number} does not match its checksum")
        try:
            check_chunk(chunks[-1], header.raw_bytes_of(number) // itemsize, itemsize)
        except ChunkError as error:
            raise damaged(data, f"chunk {number}: {error}") from None
    array = np.empty(header.shape, header.dtype)
    line, back = array.reshape(-1), neighbours(header.shape)
    for number, chunk in enumerate(chunks):
        try:
            unpack_labels(chunk, line[number * _CHUNK_VOXELS : (number + 1) * _CHUNK_VOXELS], back)
        except ChunkError as error:
            raise damaged(data, f"chunk {number}: {error}") from None
    return array
