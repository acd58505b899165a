"""The label codec against general codecs and codecs made for labels, on 128^3 uint64 supervoxels and bodies.

One thread each; every decode is verified. What encode_labels makes has a checksum of every byte.
Compressed-segmentation is made to be followed by a general codec, so that pair is measured as well.
"""

from __future__ import annotations

from math import prod

import blosc2
import compressed_segmentation
import compresso
import crackle
import numpy as np
import zstandard

from benchmarks.codecs import LZ4, Array, Codec, compared
from benchmarks.data import labelled_em, segmentations
from benchmarks.rows import Row
from emseg.codec import decode_array, encode_array, encode_labels

SIDE = 128
_CSEG_BLOCK = (8, 8, 8)
_ZSTD_1, _UNZSTD = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()


def run() -> list[Row]:
    """Ratio and speeds of each codec on each volume."""
    blosc2.set_nthreads(1)
    rows: list[Row] = []
    for name, labels in volumes().items():
        rows += compared(name, [labels], _codecs(labels.shape))
    return rows


def volumes() -> dict[str, Array]:
    """Up to 128^3 voxels of each segmentation at hand, uint64, C order."""
    em = labelled_em()
    found = {f"{em.name} supervoxels": em.supervoxels, f"{em.name} bodies": em.groundtruth}
    found |= {volume.name: volume.labels for volume in segmentations()}
    return {
        f"{name} cut to {'x'.join(str(min(n, SIDE)) for n in labels.shape)}": np.ascontiguousarray(
            labels[:SIDE, :SIDE, :SIDE], np.uint64
        )
        for name, labels in found.items()
    }


def _codecs(shape: tuple[int, ...]) -> dict[str, Codec]:
    return {
        "encode_labels": Codec(encode_labels, decode_array),
        "encode_array": Codec(encode_array, decode_array),
        "lz4": LZ4,
        "zstd-1": Codec(_zstd, _UNZSTD.decompress),
        "blosc2": Codec(_blosc, blosc2.decompress2),
        "compressed-segmentation": Codec(_cseg, lambda data: _from_cseg(data, shape)),
        "compressed-segmentation and zstd-1": Codec(
            lambda labels: _ZSTD_1.compress(_cseg(labels)), lambda data: _from_cseg(_UNZSTD.decompress(data), shape)
        ),
        "crackle": Codec(lambda labels: crackle.compress(labels.T), lambda data: _c_order(crackle.decompress(data))),
        "compresso": Codec(
            lambda labels: compresso.compress(labels.T), lambda data: _c_order(compresso.decompress(data))
        ),
    }


def _zstd(labels: Array) -> bytes:
    return _ZSTD_1.compress(labels.data)


def _blosc(labels: Array) -> bytes:
    data: bytes = blosc2.compress2(
        labels, codec=blosc2.Codec.ZSTD, clevel=1, filters=[blosc2.Filter.NOFILTER], typesize=8, nthreads=1
    )
    return data


def _cseg(labels: Array) -> bytes:
    data: bytes = compressed_segmentation.compress(labels.T, block_size=_CSEG_BLOCK, order="F")
    return data


def _from_cseg(data: bytes, shape: tuple[int, ...]) -> Array:
    labels = compressed_segmentation.decompress(data, shape[::-1], np.uint64, block_size=_CSEG_BLOCK, order="F")
    assert labels.size == prod(shape)
    return _c_order(labels)


def _c_order(labels: Array) -> Array:
    """The voxels in our order of axes; a view where the codec gave them in Fortran order, as it was given them."""
    return np.ascontiguousarray(labels.T)
