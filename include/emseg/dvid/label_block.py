"""DVID's label block: 64^3 uint64 labels as a short byte string, and back.

Little-endian: `uint32 gx, gy, gz` (8 x 8 x 8 sub-blocks), `uint32 N`, N uint64 labels. With N = 1 that is all: 24
bytes, the block is solid. Else, for the 512 sub-blocks of 8^3 voxels (z slowest, x fastest): `uint16` number of labels
of each; then for each label of each its `uint32` place in the list of labels; then, for each sub-block of two or more
labels, 512 values (x fastest) of ceil(log2(number)) bits, most significant bit first, that say which of the
sub-block's labels a voxel has. Worked: 64^3 voxels of label 5, but voxel (0, 0, 1) of label 9: 8 8 8, 2, 5 9; numbers
2 1 1 1...; places 0 1 0 0 0...; 64 bytes 01000000 0...: 16 + 16 + 1024 + 513 * 4 + 64 bytes.

Our blocks name labels and places in ascending order, so the same voxels always give the same bytes. Bytes that come
from outside are checked before they are used: the worst that damaged ones can do is an `IntegrityError`.

The gzip around a block is ISA-L's. Its bytes were the same on emulated x86-64 processors of 2008 (SSE 4.2) and 2013
(AVX2) as on one with AVX-512, but no release or architecture promises them to another: compare the gzip bytes that DVID
returns with those that were sent to it, never with those of another writer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from emseg.dvid.label_block_decoder import fill_block
from emseg.dvid.label_block_encoder import encoded_block
from emseg.dvid.sub_blocks import BLOCK_VOX, PER_AXIS, ROWS, SUB_BLOCK_VOXELS, SUB_BLOCKS, SUB_VOX, VOXELS
from emseg.errors import IntegrityError, PermanentError

SHAPE = (BLOCK_VOX,) * 3
_HEADER = np.array([PER_AXIS] * 3, "<u4").tobytes()
_GZIP_LEVEL = 1
_GZIP_WBITS = 31
MAX_BYTES = 16 + 8 * VOXELS + 2 * SUB_BLOCKS + 4 * VOXELS + SUB_BLOCKS * SUB_BLOCK_VOXELS * 9 // 8
"""Largest possible block (every voxel another label): nothing longer is unpacked."""


@dataclass(frozen=True, eq=False)
class EncodedBlock:
    """The bytes of a block, its labels (uint64, ascending, 0 with them) and how many voxels each has (uint32)."""

    data: bytes
    labels: npt.NDArray[np.uint64]
    voxels: npt.NDArray[np.uint32]

    @property
    def holds_any(self) -> bool:
        """Whether a label other than 0 is in it."""
        return bool(self.labels[-1] > 0)

    def packed(self) -> bytes:
        """As DVID receives, keeps and returns it: gzip around `data`."""
        return isal_zlib.compress(self.data, _GZIP_LEVEL, _GZIP_WBITS)


def encode_block(
    labels: npt.NDArray[np.uint32] | npt.NDArray[np.uint64], ids: npt.NDArray[np.uint64] | None = None
) -> EncodedBlock:
    """A block of shape (64, 64, 64), ZYX. DVID would die on any other shape: it is refused.

    Labels are uint64; or uint32 places in `ids`, all different, of what the block is to hold: half of the memory to
    go through. A place outside of `ids` is refused.
    """
    if labels.shape != SHAPE or labels.dtype != (np.uint64 if ids is None else np.uint32):
        raise PermanentError(
            "encoding a label block",
            "labels for DVID",
            f"the array is {labels.dtype} of shape {labels.shape}",
            f"Give uint64, or uint32 with ids, of shape {SHAPE}",
        )
    rows = (labels if labels.strides[-1] == labels.itemsize else np.ascontiguousarray(labels)).view(ROWS[labels.dtype])
    try:
        names, voxels, numbers, places, values = encoded_block(rows, ids)
    except IndexError:
        raise IntegrityError(
            "encoding a label block",
            "labels for DVID",
            f"a label up to {labels.max()} for {0 if ids is None else len(ids)} ids",
            "Segment the subvolume again; if it stays, its step counts its labels wrong",
        ) from None
    parts = (numbers, places, values) if len(names) > 1 else ()
    return EncodedBlock(b"".join((_HEADER, len(names).to_bytes(4, "little"), names, *parts)), names, voxels)


def decode_block(data: bytes, into: npt.NDArray[np.uint64] | None = None) -> npt.NDArray[np.uint64]:
    """Labels of a block, (64, 64, 64) uint64 ZYX. Label lists may be in any order and repeat labels.

    They are written to `into`, of that shape, wherever it lies: memory that is touched once is half of the time.
    """
    labels = np.empty(SHAPE, np.uint64) if into is None else into
    names = _names(data)
    if len(names) == 1:
        _require(len(data) == 24, f"{len(data)} bytes instead of 24 for a solid block")
        labels[...] = names[0]
        return labels
    at = 16 + 8 * len(names)
    _require(len(data) >= at + 2 * SUB_BLOCKS, "it ends inside the sub-blocks' label numbers")
    numbers = np.frombuffer(data, "<u2", SUB_BLOCKS, at).astype(np.int64)
    at += 2 * SUB_BLOCKS
    total = int(numbers.sum())
    _require(int(numbers.max()) <= SUB_BLOCK_VOXELS, "a sub-block claims more labels than voxels")
    _require(len(data) >= at + 4 * total, "it ends inside the sub-blocks' label places")
    places = np.frombuffer(data, "<u4", total, at)
    _require(total == 0 or int(places.max()) < len(names), "a label place lies outside the list of labels")
    at += 4 * total
    expected = int((_bits(numbers) * SUB_BLOCK_VOXELS // 8).sum())
    _require(len(data) == at + expected, f"{len(data)} bytes instead of {at + expected}")
    rows = labels.reshape(BLOCK_VOX, BLOCK_VOX, PER_AXIS, SUB_VOX, copy=False)
    intact = fill_block(rows, names[places], numbers, np.frombuffer(data, np.uint8, expected, at))
    _require(bool(intact), "a voxel names a label that its sub-block has not")
    return labels


def pack_block(labels: npt.NDArray[np.uint64]) -> bytes:
    """The block as DVID keeps it, from uint64 labels; same bytes for the same labels."""
    return encode_block(labels).packed()


def unpack_block(packed: bytes, into: npt.NDArray[np.uint64] | None = None) -> npt.NDArray[np.uint64]:
    """Inverse of `pack_block`, as `decode_block` does it; never unpacks more than the largest possible block."""
    unzip = isal_zlib.decompressobj(_GZIP_WBITS)
    try:
        data = unzip.decompress(packed, MAX_BYTES)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub declares an instance
        raise _damaged(f"it is not gzip ({error})") from None
    _require(unzip.eof and not unzip.unused_data, "its gzip stream is cut, too long, or followed by other bytes")
    return decode_block(data, into)


def _names(data: bytes) -> npt.NDArray[np.uint64]:
    _require(len(data) >= 24, f"it has {len(data)} bytes")
    _require(data[:12] == _HEADER, "its size is not 64 x 64 x 64")
    count = int(np.frombuffer(data, "<u4", 1, 12)[0])
    _require(0 < count <= (len(data) - 16) // 8, f"it claims {count} labels in {len(data)} bytes")
    return np.frombuffer(data, "<u8", count, 16).astype(np.uint64)


def _bits(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bits of a value among `numbers` labels: 0 for 0 and 1, 1 for 2, 2 for 3 and 4, ... 9 for 257 to 512."""
    return np.ceil(np.log2(np.maximum(numbers, 1))).astype(np.int64)


def _require(holds: bool, found: str) -> None:
    if not holds:
        raise _damaged(found)


def _damaged(found: str) -> IntegrityError:
    return IntegrityError("decoding a label block", "bytes from DVID", found, "Write the block again")
