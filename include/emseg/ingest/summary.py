"""What a person reads before the first write: what was found in the source, who says where it lies, where it goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emseg.geometry import Box
from emseg.ingest.sources import VolumeSource

SAMPLE_VOXELS = 16 << 20
"""Volumes up to so many voxels are read as a whole for their range; of larger ones, slabs and a corner of them."""


def summary(source: VolumeSource, box: Box, size: str, offset: str, goes_to: str) -> list[tuple[str, str]]:
    """Rows of name and value; `size` and `offset` are told in words. Reads a sample of the voxels."""
    info = source.info
    rows = [
        ("source", info.address),
        ("format", info.format),
        ("shape", f"{' x '.join(map(str, source.shape))} voxels, Z Y X, {source.dtype}"),
        ("values", _range(source)),
        ("voxel size", size),
        ("first voxel", offset),
        *(("note", note) for note in info.notes),
        ("note", info.lossy and f"{info.lossy}: values may be only near those that were saved"),
        ("goes to", f"{goes_to}, voxels {tuple(box.start)} to {tuple(box.stop)}"),
    ]
    return [(name, value) for name, value in rows if value]


def _range(source: VolumeSource) -> str:
    parts = list(_samples(source))
    low, high, voxels = np.inf, -np.inf, 0
    for part in parts:
        values = source.read(part)
        low, high, voxels = min(low, values.min()), max(high, values.max()), voxels + values.size
    share = voxels / Box.of_shape(source.shape).voxels
    return f"{low} to {high}" + ("" if share == 1 else f" in a sample of {100 * share:.2g} % of the voxels")


def _samples(source: VolumeSource) -> Iterator[Box]:
    """The whole volume; or its first, middle and last section, as much of them as a sample may be."""
    whole = Box.of_shape(source.shape)
    if whole.voxels <= SAMPLE_VOXELS:
        yield whole
        return
    depth, height, width = source.shape
    rows = max(1, min(height, SAMPLE_VOXELS // 3 // width))
    top = (height - rows) // 2
    for z in sorted({0, depth // 2, depth - 1}):
        yield Box((z, top, 0), (z + 1, top + rows, width))
