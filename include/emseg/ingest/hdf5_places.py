"""What the attributes of an HDF5 array, or of the groups that it lies in, say of its voxels and its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import h5py
import numpy as np

from emseg.ingest.sources import SaidSize
from emseg.ingest.units import NM_OF_UNIT, in_nm

SIZES = ("resolution", "voxel_size", "element_size_um")
"""Attributes for the size of a voxel: CREMI's, funlib's (both nm, Z Y X), ilastik's (µm)."""

Offset = tuple[float, float, float]


def said_size(dataset: h5py.Dataset, axes: Sequence[int]) -> tuple[SaidSize | None, str]:
    """Size of a voxel in nm from the nearest that tells one, and in words what is told and cannot be used.

    `axes` are those that are Z, Y, X.
    """
    for attributes in _levels(dataset):
        said = {name: _size(attributes, name, axes, dataset.ndim) for name in SIZES if name in attributes}
        if said:
            usable = None not in said.values() and len(set(said.values())) == 1
            return (next(iter(said.values())), "") if usable else (None, _told(attributes, said))
    return None, ""


def said_offset(dataset: h5py.Dataset, axes: Sequence[int]) -> tuple[Offset | None, str]:
    """Position of the first voxel in nm, likewise."""
    for attributes in _levels(dataset):
        if "offset" in attributes:
            offset = _lengths(attributes, "offset", axes, dataset.ndim)
            return (offset, "") if offset else (None, _told(attributes, ("offset",)))
    return None, ""


def _levels(dataset: h5py.Dataset) -> Iterator[Mapping[str, Any]]:
    """Attributes of the array, then those of the groups that it lies in."""
    yield dataset.attrs
    group = dataset.parent
    while group.name != "/":
        yield group.attrs
        group = group.parent
    yield group.attrs


def _size(attributes: Mapping[str, Any], name: str, axes: Sequence[int], all_axes: int) -> SaidSize | None:
    lengths = _lengths(attributes, name, axes, all_axes)
    edges = [in_nm(length, "nm") for length in lengths or ()]
    return tuple(edges) if edges and None not in edges else None  # type: ignore[return-value]


def _lengths(attributes: Mapping[str, Any], name: str, axes: Sequence[int], all_axes: int) -> Offset | None:
    """Three lengths in nm for Z, Y, X; None where the attribute gives none, or no finite numbers in a real unit."""
    said = "um" if name == "element_size_um" else attributes.get("units", "nm")
    units = [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in np.ravel(said)]
    try:
        numbers = [float(number) for number in np.asarray(attributes[name], np.float64).ravel()]
        units = _three(units * 3 if len(units) == 1 else units, axes, all_axes)
        z, y, x = (n * NM_OF_UNIT[unit.lower()] for n, unit in zip(_three(numbers, axes, all_axes), units, strict=True))
    except (TypeError, ValueError, KeyError):
        return None
    return (z, y, x) if isfinite(z) and isfinite(y) and isfinite(x) else None


def _three(items: list[Any], axes: Sequence[int], all_axes: int) -> list[Any]:
    """Those for Z, Y, X, where there is one for each of them or for every axis of the array; else ValueError."""
    if len(items) == all_axes:
        return [items[axis] for axis in axes]
    if len(items) == 3:
        return items
    raise ValueError(f"{len(items)} for {all_axes} axes")


def _told(attributes: Mapping[str, Any], names: Sequence[str] | Mapping[str, Any]) -> str:
    """The attributes as they are: `resolution is 40,4,4; units is pixel`."""
    return "; ".join(f"{name} is {attributes[name]!s:.60}" for name in (*names, "units") if name in attributes)
