"""A chunked volume as a source of boxes: opened by its layout, turned to Z Y X, and read with every error in words.

Memory of `read`: the box, `DECODERS` decoded chunks and `REQUESTS` encoded ones. A chunk above `LARGEST_CHUNK_BYTES`
is refused, because it has to be decoded whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import tensorstore

from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate, VoxelSize
from emseg.ingest.axes import AXES
from emseg.ingest.chunked.guard import told_in_words
from emseg.ingest.chunked.layout import Layout, PerAxis
from emseg.ingest.chunked.location import CONTEXT, Location
from emseg.ingest.chunked.missing import chunks_of, missing_note
from emseg.ingest.chunked.n5 import n5_layout
from emseg.ingest.chunked.n5_blocks import check_blocks
from emseg.ingest.chunked.precomputed import precomputed_layout
from emseg.ingest.chunked.zarr import zarr_layout
from emseg.ingest.codecs import inexact_codecs
from emseg.ingest.sources import Array, SourceInfo, refuse_source, three_axes

LARGEST_CHUNK_BYTES = 1 << 30
TIMEOUT_S = 900.0
"""A box that has not arrived by then is an error that is worth another try."""


class ChunkedVolume:
    """The volume that a layout describes; `accept_missing` takes missing chunks for empty ones."""

    def __init__(self, layout: Layout, accept_missing: bool) -> None:
        """Open it; nothing but metadata and, where that is possible, names of chunks are read."""
        address = str(layout.location)
        spec = {
            **layout.spec,
            "kvstore": layout.location.kvstore(),
            "fill_missing_data_reads": accept_missing,
            "recheck_cached_data": False,
        }
        with told_in_words(address):
            opened = tensorstore.open(spec, open=True, context=CONTEXT).result(TIMEOUT_S)
            chunks = chunks_of(opened.shape, _edges(opened.chunk_layout.write_chunk))
            self._stored = opened
            self._array, chunk, dropped = _as_zyx(opened, layout.axes, address)
        self.dtype: np.dtype[Any] = np.dtype(self._array.dtype.numpy_dtype)
        self.shape = three_axes(tuple(self._array.shape), address)
        if prod(chunk) * self.dtype.itemsize > LARGEST_CHUNK_BYTES:
            found = f"a chunk has {'x'.join(map(str, chunk))} voxels, more than {LARGEST_CHUNK_BYTES >> 20} MB"
            raise refuse_source(address, found, "Write the volume with smaller chunks")
        note = missing_note(layout, chunks, accept_missing)
        size, offset = _zyx(layout.size_nm), _zyx(layout.offset_nm)
        self.info = SourceInfo(
            address,
            layout.format,
            voxel_size_nm=size,
            offset_nm=offset,
            notes=(*layout.notes, *dropped, *filter(None, [note])),
            unusable=layout.unusable,
            lossy=inexact_codecs(opened.codec.to_json() if opened.codec else None),
            chunk_vox=Coordinate.of(chunk),
        )
        self._address, self._layout = address, layout

    def read(self, box: Box) -> Array:
        """The voxels of `box`; PermanentError naming the chunk for one that is missing or damaged."""
        with told_in_words(f"{self._address}, voxels {box.start} to {box.stop} (Z Y X)"):
            part = self._array[box.slices()]
            if self._layout.spec["driver"] == "n5":
                self._check_n5(box)
            return np.ascontiguousarray(part.read().result(TIMEOUT_S))

    def _check_n5(self, box: Box) -> None:
        """See that the blocks of `box` are as large as their places."""
        start, stop = [0] * self._stored.rank, [1] * self._stored.rank
        kept, _ = _axes(self._layout.axes, self._stored.shape, self._address)
        for axis, first, last in zip(kept, box.start, box.stop, strict=True):
            start[axis], stop[axis] = first, last
        edges = _edges(self._stored.chunk_layout.write_chunk)
        check_blocks(self._layout.location, self._stored.shape, edges, start, stop)


def open_chunked(address: str, name: str, accept_missing: bool) -> ChunkedVolume | None:
    """The volume at `address`, or the scale or array `name` in it; None where there is no chunked volume."""
    outer = Location.of(address)
    layout = precomputed_layout(outer, name)
    if layout is None:
        location = outer.child(name)
        layout = zarr_layout(location) or n5_layout(location)
    return None if layout is None else ChunkedVolume(layout, accept_missing)


def _as_zyx(
    opened: tensorstore.TensorStore, names: Sequence[str], address: str
) -> tuple[tensorstore.TensorStore, list[int], tuple[str, ...]]:
    """The volume from voxel 0 with axes Z, Y, X; the chunk that is decoded at once; and which axes were dropped."""
    kept, dropped = _axes(names, opened.shape, address)
    edges = _edges(opened.chunk_layout.read_chunk)
    chunk = [edges[axis] for axis in kept]
    notes = tuple(f"axis {names[axis] or axis + 1} has length 1 and is left out" for axis in dropped)
    first = [opened.domain[axis].inclusive_min for axis in range(opened.rank)]
    array = opened[tuple(first[axis] if axis in dropped else slice(None) for axis in range(opened.rank))]
    remaining = sorted(kept)
    array = array.transpose([remaining.index(axis) for axis in kept])
    return array[tensorstore.d[:].translate_to[0]], chunk, notes


def _edges(chunk: tensorstore.ChunkLayout.Grid) -> list[int]:
    return [edge or 1 for edge in chunk.shape or ()]


def _axes(names: Sequence[str], shape: Sequence[int], address: str) -> tuple[list[int], list[int]]:
    """Stored axes that are Z, Y, X, and those without extent beside them."""
    every = range(len(shape))
    if any(names):
        kept = [names.index(axis) for axis in AXES]
    else:  # without names the order is Z, Y, X, and an axis of length 1 comes before them
        long = [axis for axis in every if shape[axis] != 1]
        kept = list(every)[-3:] if len(shape) <= 3 or set(long) <= set(list(every)[-3:]) else long
    dropped = [axis for axis in every if axis not in kept]
    if len(kept) != 3 or any(shape[axis] != 1 for axis in dropped):
        told = ", ".join(f"{name or '?'} {length}" for name, length in zip(names, shape, strict=True))
        raise PermanentError(
            "opening a volume", address, f"its axes are {told}", "Give axes Z, Y, X, and others of length 1 only"
        )
    return kept, dropped


def _zyx(told: PerAxis) -> VoxelSize | None:
    return (told["z"], told["y"], told["x"]) if set(AXES) <= set(told) else None
