"""Bricks of labels: whole blocks written and read back, and the voxels of each label in each block counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from emseg.dvid.label_block import EncodedBlock, encode_block
from emseg.dvid.label_index import IndexTable
from emseg.dvid.labelmap import Labelmap, PackedBlock, digests_of
from emseg.dvid.sub_blocks import BLOCK_VOX
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Vec

Labels = npt.NDArray[np.uint64]
NOTHING: Mapping[Vec, bytes] = MappingProxyType({})


class ForeignBlocksError(PermanentError):
    """The node holds labels where this volume has none, and no ancestor put them there: somebody else writes to it."""


def write_brick(labelmap: Labelmap, scale: int, labels: Labels, first_block: Vec) -> IndexTable:
    """Write uint64 ZYX `labels` (sides multiples of 64) as blocks from `first_block` on, and return `block_counts`.

    Blocks without a label are not written. Checks and errors are those of `write_blocks`.
    """
    tables: list[IndexTable] = []

    def packed() -> Iterator[PackedBlock]:
        for block, voxels in blocks_of(labels, first_block):
            encoded = encode_block(voxels)
            if encoded.holds_any:
                tables.append(counted(block, encoded))
                yield block, encoded.packed()

    z, y, x = (n // BLOCK_VOX for n in labels.shape)
    write_blocks(labelmap, scale, packed(), Box.of_shape((z, y, x), first_block))
    return IndexTable.joined(tables)


def write_blocks(
    labelmap: Labelmap,
    scale: int,
    blocks: Iterable[PackedBlock],
    box_blocks: Box,
    inherited: Mapping[Vec, bytes] = NOTHING,
) -> int:
    """Write `blocks` of `scale`, each when it is made, and read the whole box of blocks back.

    `inherited` is what an ancestor has in the box: where no block is written, that must still be there, and nothing
    else. IntegrityError when a block is not as it should be, ForeignBlocksError when there is one too many. Doing it
    twice changes nothing. Returns the number written.
    """
    sent = labelmap.ingest_supervoxels(scale, blocks)
    expected = digests_of(inherited.items()) | sent
    stored = digests_of(labelmap.stored_blocks(box_blocks, scale))
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
    return len(sent)


def block_counts(labels: Labels, first_block: Vec) -> IndexTable:
    """Voxels of each label in each 64^3 block of `labels`, 0 left out; every label is its own body."""
    blocks = blocks_of(np.asarray(labels, np.uint64), first_block)
    return IndexTable.joined(counted(block, encode_block(voxels)) for block, voxels in blocks)


def counted(block: Vec, encoded: EncodedBlock) -> IndexTable:
    """Voxels of each label of a block, 0 left out; every label is its own body."""
    labels, counts = encoded.labels[encoded.labels > 0], encoded.voxels[encoded.labels > 0]
    return IndexTable(np.tile(np.array(block, np.int32), (len(labels), 1)), labels, labels, counts)


def blocks_of(labels: Labels, first_block: Vec) -> Iterator[tuple[Vec, Labels]]:
    """Each block of an array (a part of it: nothing is copied) with its coordinates ZYX; it begins at `first_block`."""
    for offset in np.ndindex(*(n // BLOCK_VOX for n in labels.shape)):
        z, y, x = (a + b for a, b in zip(first_block, offset, strict=True))
        yield (z, y, x), labels[tuple(slice(i * BLOCK_VOX, (i + 1) * BLOCK_VOX) for i in offset)]
