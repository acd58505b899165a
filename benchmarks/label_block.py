"""DVID's label block, with gzip as it is posted and stored, against general codecs on the same 64^3 uint64 blocks."""

from __future__ import annotations

import numpy as np

from benchmarks.codecs import LZ4, ZLIB_1, Codec, compared
from benchmarks.data import segmentations
from benchmarks.rows import Row
from emseg.dvid.labels.block import decode_block, encode_block, pack_block, unpack_block
from emseg.dvid.labels.bricks import blocks_of
from emseg.geometry import Coordinate

CODECS = {
    "emseg with gzip": Codec(pack_block, unpack_block),
    "emseg without gzip": Codec(lambda labels: encode_block(labels).data, decode_block),
    "lz4": LZ4,
    "zlib-1": ZLIB_1,
}


def run() -> list[Row]:
    """Sizes and speeds on all blocks of each segmentation."""
    rows: list[Row] = []
    for volume in segmentations():
        parts = blocks_of(volume.labels.astype(np.uint64), Coordinate(0, 0, 0))
        blocks = [np.ascontiguousarray(block) for _, block in parts]
        rows += compared(volume.name, blocks, CODECS)
    return rows
