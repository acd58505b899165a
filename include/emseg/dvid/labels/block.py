"""DVID's label block: 64^3 uint64 labels as a short byte string, and back.

Worked example: 64^3 voxels of label 5, but voxel (0, 0, 1) has label 9. The block says that it has 8 x 8 x 8 sub-blocks
and 2 labels, 5 and 9. The first sub-block has both, which have the indices 0 and 1; all others have label 5 alone. The
first sub-block needs a bit a voxel: 01000000 for its first row, then zeros.

    part      type     in the example         bytes
    size      uint32   8 8 8                     12   sub-blocks along each axis
    number    uint32   2                          4   labels of the block
    labels    uint64   5 9                       16
    numbers   uint16   2, 1, 1, 1 ...          1024   labels of each sub-block
    indices   uint32   0 1, 0, 0, 0 ...        2052   for each label of each sub-block, its index in the labels
    values    packed   01000000 00000000 ...     64   for each voxel, the number of its label in its sub-block

All is little-endian. Sub-blocks of 8^3 voxels, and the voxels in each, come with z slowest and x fastest. In one with n
labels a value has ceil(log2(n)) bits, most significant first; with one label there are no values. A block of one label
ends after the labels: 24 bytes.

Our blocks have labels and indices in ascending order, so the same voxels always give the same bytes. Bytes from outside
are checked before they are used: the worst that damaged ones can do is an `IntegrityError`.

The gzip around a block is ISA-L's. Its bytes were the same on emulated x86-64 processors of 2008 (SSE 4.2) and 2013
(AVX2) as on one with AVX-512, but no release or architecture promises them to another. So compare the gzip bytes that
DVID returns with those that were sent to it, never with those of another writer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from emseg.array_types import Counts, Ids, Labels32, Labels64
from emseg.errors import IntegrityError, PermanentError
from emseg.kernels.block_decoder import fill_block
from emseg.kernels.block_encoder import encoded_block
from emseg.kernels.sub_blocks import BLOCK_VOX, PER_AXIS, ROWS, SUB_BLOCK_VOXELS, SUB_BLOCKS, SUB_VOX, VOXELS

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
    labels: Ids
    voxels: npt.NDArray[np.uint32]

    @property
    def holds_any(self) -> bool:
        """Whether a label other than 0 is in it."""
        return bool(self.labels[-1] > 0)

    def packed(self) -> bytes:
        """`data` in gzip: what DVID receives, keeps and returns."""
        return isal_zlib.compress(self.data, _GZIP_LEVEL, _GZIP_WBITS)


def encode_block(labels: Labels32 | Labels64, ids: Ids | None = None) -> EncodedBlock:
    """The block of (64, 64, 64) labels, ZYX, wherever they lie in memory.

    Labels are uint64; or uint32 indices in `ids`, which are all different: the block holds the ids, and half as much
    memory is read. `PermanentError` for any other dtype or shape, because DVID would die on it. `IntegrityError` for an
    index outside `ids`.
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
        block_labels, voxels, *of_sub_blocks = encoded_block(rows, ids)
    except IndexError:
        raise IntegrityError(
            "encoding a label block",
            "labels for DVID",
            f"a label up to {labels.max()} for {0 if ids is None else len(ids)} ids",
            "Segment the subvolume again; if it stays, its step counts its labels wrong",
        ) from None
    parts = of_sub_blocks if len(block_labels) > 1 else ()
    data = b"".join((_HEADER, len(block_labels).to_bytes(4, "little"), block_labels, *parts))
    return EncodedBlock(data, block_labels, voxels)


def decode_block(data: bytes, into: Labels64 | None = None) -> Labels64:
    """The labels of a block, (64, 64, 64) uint64 ZYX; `IntegrityError` if its bytes are not those of a block.

    They are written to `into` if given, of that shape, wherever it lies: new memory for each block takes as long as the
    rest of the work. In a block from DVID labels may have any order, and one may come twice.
    """
    labels = np.empty(SHAPE, np.uint64) if into is None else into
    block_labels = _block_labels(data)
    if len(block_labels) == 1:
        _require(len(data) == 24, f"{len(data)} bytes instead of 24 for a solid block")
        labels[...] = block_labels[0]
        return labels
    at = 16 + 8 * len(block_labels)
    _require(len(data) >= at + 2 * SUB_BLOCKS, "it ends inside the sub-blocks' label numbers")
    numbers = np.frombuffer(data, "<u2", SUB_BLOCKS, at).astype(np.int64)
    at += 2 * SUB_BLOCKS
    total = int(numbers.sum())
    _require(int(numbers.max()) <= SUB_BLOCK_VOXELS, "a sub-block claims more labels than voxels")
    _require(len(data) >= at + 4 * total, "it ends inside the sub-blocks' label indices")
    indices = np.frombuffer(data, "<u4", total, at)
    _require(total == 0 or int(indices.max()) < len(block_labels), "a label index lies outside the list of labels")
    at += 4 * total
    expected = int((_bits(numbers) * SUB_BLOCK_VOXELS // 8).sum())
    _require(len(data) == at + expected, f"{len(data)} bytes instead of {at + expected}")
    rows = labels.reshape(BLOCK_VOX, BLOCK_VOX, PER_AXIS, SUB_VOX, copy=False)
    intact = fill_block(rows, block_labels[indices], numbers, np.frombuffer(data, np.uint8, expected, at))
    _require(bool(intact), "a voxel has a value for which its sub-block has no label")
    return labels


def pack_block(labels: Labels64) -> bytes:
    """The block of uint64 labels in gzip, as DVID keeps it."""
    return encode_block(labels).packed()


def unpack_block(packed: bytes, into: Labels64 | None = None) -> Labels64:
    """The labels of a block in gzip, as from `decode_block`; it never unpacks more than the largest possible block."""
    unzip = isal_zlib.decompressobj(_GZIP_WBITS)
    try:
        data = unzip.decompress(packed, MAX_BYTES)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub declares an instance
        raise _damaged(f"it is not gzip ({error})") from None
    _require(unzip.eof and not unzip.unused_data, "its gzip stream is cut, too long, or followed by other bytes")
    return decode_block(data, into)


def _block_labels(data: bytes) -> Ids:
    _require(len(data) >= 24, f"it has {len(data)} bytes")
    _require(data[:12] == _HEADER, "its size is not 64 x 64 x 64")
    count = int(np.frombuffer(data, "<u4", 1, 12)[0])
    _require(0 < count <= (len(data) - 16) // 8, f"it claims {count} labels in {len(data)} bytes")
    return np.frombuffer(data, "<u8", count, 16).astype(np.uint64)


def _bits(numbers: Counts) -> Counts:
    """Bits of a value among `numbers` labels: 0 for 0 and 1, 1 for 2, 2 for 3 and 4, ... 9 for 257 to 512."""
    return np.ceil(np.log2(np.maximum(numbers, 1))).astype(np.int64)


def _require(holds: bool, found: str) -> None:
    if not holds:
        raise _damaged(found)


def _damaged(found: str) -> IntegrityError:
    return IntegrityError("decoding a label block", "bytes from DVID", found, "Write the block again")
