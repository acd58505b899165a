"""Bricks of labels: whole blocks written and read back, and the voxels of each label in each block counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.dvid.label_block import rows_of
from emseg.dvid.label_block_kernels import BLOCK_VOX, counted_block
from emseg.dvid.label_index import IndexTable
from emseg.dvid.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Vec

Labels = npt.NDArray[np.uint64]
NOTHING: Mapping[Vec, str] = MappingProxyType({})


class ForeignBlocksError(PermanentError):
    """The node holds labels where this volume has none, and no ancestor put them there: somebody else writes to it."""


def write_brick(labelmap: Labelmap, scale: int, labels: Labels, first_block: Vec) -> int:
    """Write uint64 ZYX `labels` (sides multiples of 64) as blocks from `first_block` on, and return how many.

    Blocks without a label are not written. Checks and errors are those of `write_blocks`.
    """
    z, y, x = (n // BLOCK_VOX for n in labels.shape)
    return write_blocks(labelmap, scale, dict(blocks_of(labels, first_block)), Box.of_shape((z, y, x), first_block))


def write_blocks(
    labelmap: Labelmap,
    scale: int,
    blocks: Mapping[Vec, Labels],
    box_blocks: Box,
    inherited: Mapping[Vec, str] = NOTHING,
) -> int:
    """Write `blocks` (coordinates ZYX at `scale` -> (64, 64, 64) uint64) and read the whole box of blocks back.

    `inherited` are the digests of what an ancestor has in the box: where no block is written, that must still be
    there, and nothing else. IntegrityError when a block is not as it should be, ForeignBlocksError when there is one
    too many. Doing it twice changes nothing. Returns the number written.
    """
    expected = dict(inherited) | labelmap.ingest_supervoxels(scale, blocks)
    stored = labelmap.block_digests(box_blocks, scale)
    on = f"{labelmap.instance!r} in node {labelmap.node.uuid}, scale {scale}"
    foreign = stored.keys() - expected.keys()
    if foreign:
        raise ForeignBlocksError(
            "writing labels",
            on,
            f"it holds labels where this volume has none, e.g. block {min(foreign)} (ZYX)",
            "Use another instance name",
        )
    if stored != expected:
        wrong = sorted(block for block in expected if stored.get(block) != expected[block])
        raise IntegrityError(
            "writing labels",
            on,
            f"{len(wrong)} of {len(expected)} blocks are not as sent or inherited, first {wrong[0]} (ZYX)",
            "Try again; if it stays, something else writes to this instance",
        )
    return len(blocks)


def block_counts(labels: Labels, first_block: Vec) -> IndexTable:
    """Voxels of each label in each 64^3 block of `labels`, 0 left out; every label is its own body."""
    rows = [_counted(block, voxels) for block, voxels in blocks_of(np.asarray(labels, np.uint64), first_block)]
    return IndexTable.joined(rows)


def blocks_of(labels: Labels, first_block: Vec) -> Iterator[tuple[Vec, Labels]]:
    """Each block that holds a label, with its block coordinates ZYX; the array begins at block `first_block`.

    The blocks are parts of `labels`: nothing is copied.
    """
    for offset in np.ndindex(*(n // BLOCK_VOX for n in labels.shape)):
        block = labels[tuple(slice(i * BLOCK_VOX, (i + 1) * BLOCK_VOX) for i in offset)]
        if holds_any(block):
            z, y, x = (a + b for a, b in zip(first_block, offset, strict=True))
            yield (z, y, x), block


def _counted(block: Vec, voxels: Labels) -> IndexTable:
    labels, counts = counted_block(rows_of(voxels))
    labels, counts = labels[labels > 0], counts[labels > 0]
    return IndexTable(np.tile(np.array(block, np.int32), (len(labels), 1)), labels, labels, counts)


@njit(cache=True, nogil=True)
def holds_any(voxels):  # type: ignore[no-untyped-def]
    """Whether a voxel of a ZYX array is not 0; it ends at the first one."""
    for z in range(voxels.shape[0]):
        for y in range(voxels.shape[1]):
            for x in range(voxels.shape[2]):
                if voxels[z, y, x] != 0:
                    return True
    return False
