"""One chunk of labels to bytes and back: the five streams of `kernels/stream_format.py`, each in a Zstandard frame.

The first byte says the form. Form 2: the bytes of each of the five streams and then of each of their frames, ten u32,
little-endian, and the frames; an empty stream has no frame. Form 0: one LZ4 block of the voxels, for labels so rough
that it is smaller. An earlier version wrote form 1, in which a choice was a bit of another meaning; nothing reads it.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import lz4.block
import numpy as np
import numpy.typing as npt
import zstandard

from emseg.kernels.label_streams import from_streams, to_streams
from emseg.kernels.stream_format import CHOICES, CODES, GAPS, GROUP_VOX, MASKS, STREAMS, capacities, layout

LZ4_MAX_RATIO = 255
"""How many times its size an LZ4 block can grow at most, so that a small object cannot claim a large array."""
_LZ4, _STREAMS = b"\0", b"\2"
_LEVEL = 1
_SHARE_LISTED = 16
"""About one voxel in so many may have its label listed: labels with more are noise."""
_TABLE = struct.Struct(f"<{2 * (STREAMS + 1)}I")

Neighbours = tuple[int, int]


class ChunkError(Exception):
    """What is wrong with the bytes of a chunk."""


def neighbours(shape: tuple[int, ...]) -> Neighbours:
    """How many voxels back the same voxel of the row before and of the section before lies, in C order.

    For example, (125, 250, 300) gives (300, 75000). A row of fewer than 8 voxels, a group, is taken together with the
    next axis: (9, 5, 4) gives (20, 20). If no axis is long enough both are 1.
    """
    found, stride = [], 1
    for length in reversed(shape[1:]):
        stride *= length
        if stride >= GROUP_VOX and stride not in found:
            found.append(stride)
    row = found[0] if found else 1
    return row, found[1] if len(found) > 1 else row


def pack_labels(voxels: npt.NDArray[Any], back: Neighbours) -> bytes:
    """Bytes of a C-ordered line of one or more unsigned labels; the same for the same labels."""
    streams = _streams(voxels, back)
    if streams is None:
        return _LZ4 + bytes(lz4.block.compress(voxels.view(np.uint8).data, store_size=False))
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    frames = [compressor.compress(stream.data) if stream.size else b"" for stream in streams]
    table = _TABLE.pack(*(stream.size for stream in streams), *map(len, frames))
    return b"".join([_STREAMS, table, *frames])


def _streams(voxels: npt.NDArray[Any], back: Neighbours) -> list[npt.NDArray[np.uint8]] | None:
    """The five streams as bytes; None for labels that are too rough for them."""
    starts = np.concatenate([[0], np.cumsum(capacities(voxels.size))]).astype(np.uint64)
    room = np.empty(int(starts[-1]), np.uint8)
    labels = np.empty(_most_listed(voxels.size), voxels.dtype)
    *sizes, listed = to_streams(voxels, *layout(voxels.size, *back), room, starts, labels)
    if listed == 0:
        return None
    streams = [room[start : start + size] for start, size in zip(starts[:-1].tolist(), sizes, strict=True)]
    return [*streams, labels[:listed].view(np.uint8)]


def _most_listed(voxels: int) -> int:
    return voxels // _SHARE_LISTED + 2 + GROUP_VOX


def check_chunk(chunk: memoryview, voxels: int, itemsize: int) -> None:
    """Raise `ChunkError` unless the chunk could hold so many voxels, as far as its table tells without unpacking.

    A chunk that passes makes unpacking allocate less than the voxels themselves and 1 byte for each.
    """
    form = bytes(chunk[:1])
    if form == _LZ4:
        if voxels * itemsize > LZ4_MAX_RATIO * len(chunk):
            raise ChunkError(f"{voxels} voxels cannot be in an LZ4 block of {len(chunk) - 1} bytes")
        return
    if form != _STREAMS or len(chunk) < 1 + _TABLE.size:
        raise ChunkError(f"form {form!r} in {len(chunk)} bytes")
    sizes, _ = _frames(chunk)
    most = [*capacities(voxels).tolist(), _most_listed(voxels) * itemsize]
    if any(size > limit for size, limit in zip(sizes, most, strict=True)) or sizes[-1] % itemsize:
        raise ChunkError(f"streams of {sizes} bytes for {voxels} voxels")
    groups = 255 * sizes[GAPS] + sizes[MASKS]
    if sizes[GAPS] == 0 or GROUP_VOX * groups < voxels - 1 or sizes[CHOICES] < 2 or sizes[CODES] < sizes[MASKS]:
        raise ChunkError(f"streams of {sizes} bytes cannot hold {voxels} voxels")


def unpack_labels(chunk: memoryview, voxels: npt.NDArray[Any], back: Neighbours) -> None:
    """Write the voxels of a chunk that `check_chunk` took; `ChunkError` if `pack_labels` did not make its bytes."""
    if chunk[0] == _LZ4[0]:
        _unpack_lz4(chunk[1:], voxels)
        return
    sizes, frames = _frames(chunk)
    streams = [_unpacked(frame, size) for frame, size in zip(frames, sizes, strict=True)]
    labels = np.frombuffer(streams.pop(), voxels.dtype)
    starts = np.concatenate([[0], np.cumsum(sizes[:STREAMS])]).astype(np.uint64)
    if not from_streams(
        voxels, *layout(voxels.size, *back), np.frombuffer(b"".join(streams), np.uint8), starts, labels
    ):
        raise ChunkError("its streams do not describe so many voxels")


def _unpack_lz4(block: memoryview, voxels: npt.NDArray[Any]) -> None:
    try:
        raw = lz4.block.decompress(block, uncompressed_size=voxels.nbytes)
    except lz4.block.LZ4BlockError:
        raise ChunkError("not LZ4") from None
    if len(raw) != voxels.nbytes:
        raise ChunkError(f"{len(raw)} bytes instead of {voxels.nbytes}")
    voxels[:] = np.frombuffer(raw, voxels.dtype)


def _frames(chunk: memoryview) -> tuple[tuple[int, ...], list[memoryview]]:
    table = _TABLE.unpack_from(chunk, 1)
    sizes, stored = table[: STREAMS + 1], table[STREAMS + 1 :]
    if 1 + _TABLE.size + sum(stored) != len(chunk):
        raise ChunkError(f"frames of {stored} bytes in {len(chunk)} bytes")
    ends = np.cumsum([1 + _TABLE.size, *stored]).tolist()
    return sizes, [chunk[start:end] for start, end in pairwise(ends)]


def _unpacked(frame: memoryview, size: int) -> bytes:
    """One stream. Its frame is unpacked only if it claims the same size as the table."""
    if size == 0 and len(frame) == 0:
        return b""
    try:
        if zstandard.frame_content_size(frame) != size:
            raise ChunkError(f"a frame that is not of {size} bytes")
        stream = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ChunkError(f"not Zstandard ({error})") from None
    if len(stream) != size:
        raise ChunkError(f"a stream of {len(stream)} bytes instead of {size}")
    return stream
