"""The codec of stored arrays (checksummed LZ4 chunks) against plain LZ4, zlib and `.npy`, on EM and on labels.

Only emseg's bytes carry their shape and a CRC-32 of every chunk; plain LZ4 and zlib give bytes, `.npy` no checksum.
"""

from __future__ import annotations

import io

import numpy as np

from benchmarks.codecs import LZ4, ZLIB_1, Array, Codec, compared
from benchmarks.data import labelled_em, segmentations
from benchmarks.rows import Row
from emseg.codec import decode_array, encode_array


def run() -> list[Row]:
    """Sizes and speeds on one grayscale volume and one segmentation."""
    em, segmentation = labelled_em(), segmentations()[0]
    codecs = {
        "emseg": Codec(encode_array, decode_array),
        "lz4": LZ4,
        "zlib-1": ZLIB_1,
        "np.save": Codec(_saved, _loaded),
    }
    return [
        *compared(f"{em.name} grayscale uint8", [em.grayscale], codecs),
        *compared(f"{segmentation.name} labels uint32", [segmentation.labels], codecs),
    ]


def _saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _loaded(data: bytes) -> Array:
    array: Array = np.load(io.BytesIO(data), allow_pickle=False)
    return array
