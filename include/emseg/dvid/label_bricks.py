"""Bricks of labels: whole blocks written and read back, and the voxels of each label in each block counted."""

from __future__ import annotations

from collections.abc import Iterator

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.dvid.label_block import BLOCK_VOX
from emseg.dvid.label_index import IndexTable
from emseg.dvid.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Vec

Labels = npt.NDArray[np.uint64]


class ForeignBlocksError(PermanentError):
    """The instance holds labels where this volume has none: it belongs to somebody else."""


def write_brick(labelmap: Labelmap, scale: int, labels: Labels, first_block: Vec) -> int:
    """Write uint64 ZYX `labels` (sides multiples of 64) as blocks from `first_block` on, and return how many.

    Reads the blocks back: IntegrityError when one is not as sent, ForeignBlocksError when there are others. Doing it
    twice changes nothing. Blocks without a label are not written.
    """
    sent = labelmap.ingest_supervoxels(scale, dict(blocks_of(labels, first_block)))
    z, y, x = (n // BLOCK_VOX for n in labels.shape)
    stored = labelmap.block_digests(Box.of_shape((z, y, x), first_block), scale)
    on = f"{labelmap.instance!r}, scale {scale}"
    foreign = stored.keys() - sent.keys()
    if foreign:
        raise ForeignBlocksError(
            "writing labels",
            on,
            f"it holds labels where this volume has none, e.g. block {min(foreign)} (ZYX)",
            "Use another instance name",
        )
    if stored != sent:
        wrong = sorted(block for block in sent if stored.get(block) != sent[block])
        raise IntegrityError(
            "writing labels",
            on,
            f"{len(wrong)} of {len(sent)} blocks are not as sent, first {wrong[0]} (ZYX)",
            "Try again; if it stays, something else writes to this instance",
        )
    return len(sent)


def block_counts(labels: Labels, first_block: Vec) -> IndexTable:
    """Voxels of each label in each 64^3 block of `labels`, 0 left out; every label is its own body."""
    rows = [_counted(block, voxels) for block, voxels in blocks_of(labels, first_block)]
    return IndexTable.joined(rows)


def blocks_of(labels: Labels, first_block: Vec) -> Iterator[tuple[Vec, Labels]]:
    """Each block that holds a label, with its block coordinates ZYX; the array begins at block `first_block`."""
    for offset in np.ndindex(*(n // BLOCK_VOX for n in labels.shape)):
        block = labels[tuple(slice(i * BLOCK_VOX, (i + 1) * BLOCK_VOX) for i in offset)]
        if block.any():
            z, y, x = (a + b for a, b in zip(first_block, offset, strict=True))
            yield (z, y, x), np.ascontiguousarray(block)


def _counted(block: Vec, voxels: Labels) -> IndexTable:
    labels, counts = fastremap.unique(voxels, return_counts=True)
    labels, counts = labels[labels > 0], counts[labels > 0]
    return IndexTable(np.tile(np.array(block, np.int32), (len(labels), 1)), labels, labels, counts.astype(np.uint32))
