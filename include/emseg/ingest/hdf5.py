"""An array of an HDF5 file, under any name that h5py opens it by: its own, a soft, hard or external link.

`hdf5_parts.py` and `hdf5_virtual.py` see that it is whole, `hdf5_places.py` reads what it says of its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - importing it registers Blosc, Zstd, Bitshuffle and others

from emseg.geometry import Box, Coordinate
from emseg.ingest.arrays import ArrayVolume
from emseg.ingest.axes import AXES, known_axes
from emseg.ingest.codecs import inexact_filters
from emseg.ingest.hdf5_parts import check_external, missing, opened_array
from emseg.ingest.hdf5_places import said_offset, said_size
from emseg.ingest.hdf5_virtual import checked_virtual
from emseg.ingest.sources import Array, SourceInfo, chosen_name, long_axes, refuse_source


class Hdf5Volume:
    """The dataset `name` of an HDF5 file; the file is open only while it is read."""

    def __init__(self, file: Path, name: str, accept_missing: bool = False) -> None:
        """Look the dataset up and see that it is whole; `accept_missing` takes missing chunks for empty ones."""
        with h5py.File(file, "r") as opened:
            self._file, self._name = file, _found(opened, file, name.strip("/"))
            address, dataset = f"{file}:{self._name}", opened_array(opened, self._name)
            _check_kind(dataset, address)
            axes = long_axes(dataset.shape, address)
            _check_axes(dataset, axes, address)
            check_external(dataset, address)
            notes, lossy = missing(dataset, accept_missing, address), inexact_filters(dataset)
            if dataset.is_virtual:
                notes, lossy = checked_virtual(dataset, accept_missing, address)
            (size, bad_size), (offset, bad_offset) = said_size(dataset, axes), said_offset(dataset, axes)
            info = SourceInfo(
                address,
                "HDF5",
                size,
                offset,
                notes,
                lossy=lossy,
                unusable=tuple(filter(None, (bad_size, bad_offset))),
                chunk_vox=Coordinate.of([dataset.chunks[axis] for axis in axes]) if dataset.chunks else None,
            )
            shape_of = ArrayVolume(dataset, address, info)
            self.shape, self.dtype, self.info = shape_of.shape, shape_of.dtype, shape_of.info

    def read(self, box: Box) -> Array:
        """The voxels of `box`."""
        with h5py.File(self._file, "r") as opened:
            return ArrayVolume(opened_array(opened, self._name), self.info.address).read(box)


def _found(opened: h5py.File, file: Path, name: str) -> str:
    """The name to open; refused where it leads nowhere, to a group, or is needed and was not given."""
    if name and _is_array(opened, name):
        return name
    objects: dict[object, str] = {}
    names, broken = [], []
    for path, item in _named(opened):
        if item is None:
            broken.append(path)
        else:
            names.append(path)
            objects.setdefault((item.file.filename, h5py.h5o.get_info(item.id).addr), path)
    if name in broken:
        raise refuse_source(
            f"{file}:{name}", _leads_to(opened, name), "Copy that file to this folder, or name an array"
        )
    if not name and len(objects) == 1:
        return next(iter(objects.values()))
    if not name and not names and broken:
        raise refuse_source(file, "; ".join(_leads_to(opened, path) for path in broken), "Copy the files that it needs")
    return chosen_name(file, name, names)


def _is_array(opened: h5py.File, name: str) -> bool:
    try:
        return isinstance(opened[name], h5py.Dataset)
    except (KeyError, OSError):
        return False


def _named(group: h5py.Group, above: str = "", seen: frozenset[object] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Every dataset with each of its names; None for a link that leads nowhere."""
    for key in group:
        path = f"{above}{key}"
        try:
            item = group[key]
        except (KeyError, OSError):
            yield path, None
            continue
        here = (item.file.filename, h5py.h5o.get_info(item.id).addr)
        if isinstance(item, h5py.Dataset):
            yield path, item
        elif isinstance(item, h5py.Group) and here not in seen:  # links may run in a circle
            yield from _named(item, f"{path}/", seen | {here})


def _leads_to(opened: h5py.File, path: str) -> str:
    link = opened.get(path, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"{path} is a link to {link.path} in the file {link.filename}, which cannot be opened there"
    return f"{path} is a link to {getattr(link, 'path', 'nothing')}, which is not in the file"


def _check_kind(dataset: h5py.Dataset, address: str) -> None:
    if dataset.dtype.names:
        found = f"each of its values has the fields {', '.join(dataset.dtype.names)}"
        raise refuse_source(address, found, "Save one field as an array of its own: file['labels'] = array['FIELD']")
    if dataset.shape is None or dataset.dtype.kind not in "uifb":
        found = f"it is {'empty' if dataset.shape is None else dataset.dtype}, which is no number a voxel"
        raise refuse_source(address, found, "Name an array of integers")


def _check_axes(dataset: h5py.Dataset, axes: Sequence[int], address: str) -> None:
    """Refuse an array that says of itself that its axes are in another order than Z, Y, X (ilastik, h5py's scales)."""
    said: object = [dimension.label for dimension in dataset.dims]
    where = "the labels of its dimensions"
    if "axistags" in dataset.attrs:
        where = "its attribute axistags"
        try:
            said = [axis["key"] for axis in json.loads(dataset.attrs["axistags"])["axes"]]
        except (KeyError, TypeError, ValueError):
            raise refuse_source(address, f"{where} is no list of axes", "Correct or remove the attribute") from None
    names = known_axes(said, dataset.ndim, address, where)
    order = "".join(names[axis] for axis in axes)
    if order and order != "zyx":
        others = (at for at, name in enumerate(names) if name not in AXES)
        transpose = (*others, *map(names.index, AXES))
        found = f"it says that its axes are {', '.join(name.upper() for name in names)}"
        raise refuse_source(address, found, f"Save it as Z, Y, X: array.transpose{transpose}")
