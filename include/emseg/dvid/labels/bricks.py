"""Bricks of labels: whole blocks written and read back, and the voxels of each label in each block counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from emseg.array_types import AnyLabels, Labels64
from emseg.dvid.coordinates import one_block, voxels_of
from emseg.dvid.labels.block import EncodedBlock, encode_block, unpack_block
from emseg.dvid.labels.index import IndexTable
from emseg.dvid.labels.labelmap import Labelmap, PackedBlock, digests_of
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Coordinate
from emseg.kernels.sub_blocks import BLOCK_VOX

NOTHING: Mapping[Coordinate, bytes] = MappingProxyType({})


class ForeignBlocksError(PermanentError):
    """The node holds a block that neither this writer nor an ancestor has written: somebody else writes to it."""


def write_brick(labelmap: Labelmap, scale: int, labels: Labels64, first_block: Coordinate) -> IndexTable:
    """Write uint64 ZYX `labels` as blocks from `first_block` on, and return their `block_counts`.

    The sides are multiples of 64. Blocks without a label are not written. Checks and errors are those of
    `write_blocks`.
    """
    tables: list[IndexTable] = []

    def packed() -> Iterator[PackedBlock]:
        for block, voxels in blocks_of(labels, first_block):
            encoded = encode_block(voxels)
            if encoded.holds_any:
                tables.append(counted(block, encoded))
                yield block, encoded.packed()

    write_blocks(labelmap, scale, packed(), Box.of_shape(_shape_blocks(labels), first_block))
    return IndexTable.joined(tables)


def write_blocks(
    labelmap: Labelmap,
    scale: int,
    blocks: Iterable[PackedBlock],
    box_blocks: Box,
    inherited: Mapping[Coordinate, bytes] = NOTHING,
) -> int:
    """Write `blocks` of `scale` and read the whole box of blocks back.

    `inherited` are the blocks that an ancestor has in the box: they must be unchanged where no block is written.
    IntegrityError if a block is not as sent or inherited, ForeignBlocksError if an unexpected block is stored. Doing it
    twice changes nothing. Returns the number of blocks written.
    """
    sent = labelmap.ingest_supervoxels(scale, blocks)
    _compare(labelmap, scale, digests_of(inherited.items()) | sent, box_blocks)
    return len(sent)


def compare_blocks(
    labelmap: Labelmap,
    scale: int,
    blocks: Iterable[PackedBlock],
    box_blocks: Box,
    inherited: Mapping[Coordinate, bytes] = NOTHING,
) -> int:
    """As `write_blocks` where all of it was written before: nothing is sent, and the errors are the same."""
    written = digests_of(blocks)
    _compare(labelmap, scale, digests_of(inherited.items()) | written, box_blocks)
    return len(written)


def _compare(labelmap: Labelmap, scale: int, expected: Mapping[Coordinate, str], box_blocks: Box) -> None:
    # An empty block is as good as none: `Labelmap.set_extents` may have posted one.
    found = labelmap.stored_blocks(box_blocks, scale)
    stored = digests_of(each for each in found if each[0] in expected or unpack_block(each[1]).any())
    on = f"{labelmap.instance!r} in node {labelmap.node.uuid}, scale {scale}"
    foreign = stored.keys() - expected.keys()
    if foreign:
        raise ForeignBlocksError(
            "writing labels",
            on,
            f"it holds labels where this volume has none, for example in block {min(foreign)} (ZYX)",
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


def block_counts(labels: Labels64, first_block: Coordinate) -> IndexTable:
    """Voxels of each label but 0 in each 64^3 block of `labels`; every label is its own body."""
    blocks = blocks_of(np.asarray(labels, np.uint64), first_block)
    return IndexTable.joined(counted(block, encode_block(voxels)) for block, voxels in blocks)


def counted(block: Coordinate, encoded: EncodedBlock) -> IndexTable:
    """Voxels of each label but 0 of one block; every label is its own body."""
    labels, counts = encoded.labels[encoded.labels > 0], encoded.voxels[encoded.labels > 0]
    return IndexTable(np.tile(np.array(block, np.int32), (len(labels), 1)), labels, labels, counts)


def blocks_of(labels: Labels64, first_block: Coordinate) -> Iterator[tuple[Coordinate, Labels64]]:
    """Each block of an array that begins at `first_block`, with its coordinates ZYX; a view, nothing is copied."""
    for offset in Box.of_shape(_shape_blocks(labels)).coordinates():
        yield offset + first_block, labels[voxels_of(one_block(offset)).slices()]


def _shape_blocks(labels: AnyLabels) -> Coordinate:
    return Coordinate.of(labels.shape) // BLOCK_VOX
