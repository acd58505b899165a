"""Which compressions give back exactly what was saved. One that is not listed here may change values: labels that are
compressed with it are refused, and grayscale is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import h5py

TIFF = frozenset({"NONE", "CCITTRLE", "CCITTFAX3", "CCITTFAX4", "LZW", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS"}) | {
    *("LZMA", "ZSTD", "ZSTD_DEPRECATED", "PNG")
}
TIFF_INEXACT = frozenset({"JPEG", "ALT_JPEG", "JPEG_LOSSY", "JPEG2000", "JPEGXL", "LERC"})
"""Those that are read all the same: their decoders tell when data is cut. Those of JPEG XR and WebP do not."""
HDF5 = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    307: "bzip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32015: "Zstd",
}
"""Registered numbers of filters. Blosc2 is not among them: its filters may cut precision."""
CHUNKED = frozenset({"raw", "bytes", "transpose", "sharding_indexed", "crc32c", "compressed_segmentation", "png"}) | {
    *("blosc", "blosclz", "lz4", "lz4hc", "snappy", "zlib", "gzip", "zstd", "bzip2", "bz2", "xz")
}
_NAMED_AT = ("encoding", "shard_data_encoding", "id", "cname", "type", "name")


def inexact(names: Iterable[str], exact: Iterable[str]) -> str:
    """Those names that are not among `exact`, `""` where all are."""
    return ", ".join(sorted(set(names) - set(exact)))


def inexact_filters(dataset: h5py.Dataset) -> str:
    """The filters of an HDF5 array that may change values, by name and number."""
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(at) for at in range(plist.get_nfilters())]
    return ", ".join(f"{name.decode() or 'filter'} ({code})" for code, _, _, name in filters if code not in HDF5)


def inexact_codecs(codec: Any) -> str:
    """The same of a codec as TensorStore describes it, which names what it is made of."""
    return inexact(_named(codec), CHUNKED)


def _named(codec: Any) -> set[str]:
    if isinstance(codec, dict):
        own = {codec[key] for key in _NAMED_AT if isinstance(codec.get(key), str)}
        return own.union(*map(_named, codec.values()))
    return set().union(*map(_named, codec)) if isinstance(codec, list) else set()
