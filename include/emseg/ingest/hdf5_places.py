"""What the attributes of an HDF5 array say of its voxels and its place; `axes` are those that are Z, Y, X."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from emseg.ingest.sources import SaidSize
from emseg.ingest.units import NM_OF_UNIT, in_nm

SIZES = ("resolution", "voxel_size", "element_size_um")
"""Attributes for the size of a voxel: CREMI's, funlib's (both nm, Z Y X), ilastik's (µm)."""


def said_size(dataset: h5py.Dataset, axes: Sequence[int]) -> SaidSize | None:
    """Size of a voxel in nm, from the array or from the nearest group above it that tells one."""
    for attributes in _attributes(dataset):
        for name in SIZES:
            numbers = _three(attributes.get(name), axes, dataset.ndim)
            if numbers is not None:
                units = _units(attributes, name)
                z, y, x = (in_nm(number, unit) for number, unit in zip(numbers, units, strict=True))
                return None if (z, y, x) == (None, None, None) else (z, y, x)
    return None


def said_offset(dataset: h5py.Dataset, axes: Sequence[int]) -> tuple[float, float, float] | None:
    """Position of the first voxel in nm, from the array or a group above it."""
    for attributes in _attributes(dataset):
        numbers = _three(attributes.get("offset"), axes, dataset.ndim)
        if numbers is not None:
            factors = [NM_OF_UNIT.get(unit.lower()) for unit in _units(attributes, "offset")]
            if None in factors:
                return None
            z, y, x = (number * factor for number, factor in zip(numbers, factors, strict=True) if factor)
            return z, y, x
    return None


def _attributes(dataset: h5py.Dataset) -> Iterator[Mapping[str, Any]]:
    """Attributes of the array, then those of the groups that it lies in."""
    yield dataset.attrs
    group = dataset.parent
    while group.name != "/":
        yield group.attrs
        group = group.parent
    yield group.attrs


def _three(value: Any, axes: Sequence[int], all_axes: int) -> list[float] | None:
    """The three numbers of an attribute for Z, Y, X; it may have one for every axis of the array."""
    if value is None:
        return None
    try:
        numbers = [float(number) for number in np.asarray(value, np.float64).ravel()]
    except (TypeError, ValueError):
        return None
    if len(numbers) == all_axes:
        return [numbers[axis] for axis in axes]
    return numbers if len(numbers) == 3 else None


def unused(dataset: h5py.Dataset, axes: Sequence[int]) -> tuple[str, ...]:
    """A note for each attribute of the array that has the name of a size or place, and is none."""
    return tuple(
        f"its attribute {name} is {dataset.attrs[name]!s:.60}, no three numbers that can be used"
        for name in (*SIZES, "offset")
        if name in dataset.attrs and (said_offset if name == "offset" else said_size)(dataset, axes) is None
    )


def _units(attributes: Mapping[str, Any], name: str) -> list[str]:
    if name == "element_size_um":
        return ["um"] * 3
    said = [each.decode() if isinstance(each, bytes) else str(each) for each in np.ravel(attributes.get("units", "nm"))]
    return said if len(said) == 3 else [said[0]] * 3
