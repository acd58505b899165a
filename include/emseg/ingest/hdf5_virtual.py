"""Virtual arrays of HDF5, put together from arrays of other files. One is taken only where it is proved whole: every
source is there, is a plain array that was written, reaches as far as it is used, and together they cover all voxels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from emseg.errors import PermanentError
from emseg.ingest.codecs import inexact_filters
from emseg.ingest.hdf5_parts import missing
from emseg.ingest.sources import refuse_source

COPY = (
    "Copy the files that it needs beside this one. Where they are there, write it as a plain array: with h5py, "
    "copy['NAME'] = virtual['NAME'][:]"
)
MOST_CELLS = 1 << 26


def checked_virtual(dataset: h5py.Dataset, accept_missing: bool, address: str) -> tuple[tuple[str, ...], str]:
    """Notes, and the filters of the sources that may have changed values. PermanentError for what is not whole."""
    parts = dataset.virtual_sources()
    notes, lossy = [f"it is put together from {len(parts)} arrays"], set()
    for file, own in groupby(sorted(parts, key=lambda part: part.file_name), key=lambda part: part.file_name):
        for part, source in _sources(dataset, file, list(own), address):
            on = f"{address}, source {file}:{part.dset_name}"
            _check_source(part, source, dataset, on)
            notes += missing(source, accept_missing, on)
            lossy |= set(filter(None, [inexact_filters(source)]))
    _check_cover([_box(part.vspace, address) for part in parts], dataset.shape, address)
    return tuple(notes), ", ".join(sorted(lossy))


def _sources(dataset: h5py.Dataset, file: str, parts: list[Any], address: str) -> Iterator[tuple[Any, h5py.Dataset]]:
    path = Path(dataset.file.filename)
    path = path if file == "." else path.parent / file
    if not path.is_file():
        raise _refused(address, f"it is put together from other files, and {file} is missing")
    with h5py.File(path, "r") as opened:
        for part in parts:
            try:
                source = opened[part.dset_name]
            except (KeyError, OSError) as error:
                raise _refused(address, f"its source {part.dset_name} in {file} cannot be opened ({error})") from None
            if not isinstance(source, h5py.Dataset):
                raise _refused(address, f"its source {part.dset_name} in {file} is no array")
            yield part, source


def _check_source(part: Any, source: h5py.Dataset, dataset: h5py.Dataset, on: str) -> None:
    if source.is_virtual or source.external:
        kind = "virtual itself" if source.is_virtual else "kept in further files"
        raise _refused(on, f"it is {kind}, so emseg cannot see whether it is whole")
    if source.dtype.newbyteorder("=") != dataset.dtype.newbyteorder("="):
        raise _refused(on, f"it is {source.dtype}, and the virtual array {dataset.dtype}: values would be cut off")
    _, stop = _bounds(part.src_space)
    if len(stop) != source.ndim or any(end > length for end, length in zip(stop, source.shape, strict=True)):
        raise _refused(on, f"it has the shape {source.shape}, and voxels up to {stop} are needed")


def _box(space: Any, address: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    start, stop = _bounds(space)
    if space.get_select_npoints() != np.prod(np.subtract(stop, start)):
        raise _refused(address, "a source of it does not fill a box (it has steps or holes)")
    return start, stop


def _bounds(space: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    first, last = space.get_select_bounds()
    return tuple(map(int, first)), tuple(int(each) + 1 for each in last)


def _check_cover(
    boxes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], shape: tuple[int, ...], address: str
) -> None:
    """Refuse boxes that leave a voxel out, whether or not they overlap: the space is cut at each of their faces."""
    cuts = [
        sorted({0, length, *(box[side][axis] for box in boxes for side in (0, 1))}) for axis, length in enumerate(shape)
    ]
    if np.prod([len(each) for each in cuts], dtype=float) > MOST_CELLS:
        raise _refused(address, f"it is put together from {len(boxes)} boxes, too many to see whether they cover all")
    covered = np.zeros([len(each) - 1 for each in cuts], bool)
    for start, stop in boxes:
        covered[tuple(slice(each.index(a), each.index(b)) for each, a, b in zip(cuts, start, stop, strict=True))] = True
    if not covered.all():
        cell = np.argwhere(~covered)[0]
        first = tuple(each[at] for each, at in zip(cuts, cell, strict=True))
        raise _refused(address, f"it is put together from other arrays, which leave out voxel {first}")


def _refused(on: str, found: str) -> PermanentError:
    return refuse_source(on, found, COPY)
