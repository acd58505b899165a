"""Voxel size and offset in plain attributes of an array, as several tools of this field write them.

    "resolution": [4, 4, 40]                                  nanometres, or `units`; also called `voxel_size`
    "offset": [0, 0, 400]                                     of the first voxel, in the same unit
    "pixelResolution": {"dimensions": [4, 4, 40], "unit": "nm"}
    "transform": {"axes": ["z", "y", "x"], "scale": [40, 4, 4], "translate": [0, 0, 0], "units": ["nm", "nm", "nm"]}

Numbers stand in the order of the array's own axes: Z Y X in Zarr, X Y Z in N5. What is told in another way is not
passed over: it is `unusable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isclose, isfinite
from typing import Any

from emseg.ingest.axes import AXES
from emseg.ingest.chunked.layout import PerAxis, nm_of

SIZES = ("pixelResolution", "voxel_size", "resolution")


@dataclass
class Told:
    """Voxel size and offset in nm, remarks, and what is told that cannot be used."""

    size: PerAxis = field(default_factory=dict)
    offset: PerAxis = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()


def transform_axes(attributes: dict[str, Any]) -> list[Any] | None:
    """The axes that `transform` names, slowest first, None where it names none."""
    transform = attributes.get("transform")
    if not isinstance(transform, dict) or not isinstance(axes := transform.get("axes"), list):
        return None
    return axes[::-1] if transform.get("order") == "F" else axes


def told_by_attributes(attributes: dict[str, Any], names: tuple[str, ...]) -> Told:
    """What the attributes tell of an array with axes of these names; `""` for axes without one."""
    told = Told()
    transform = attributes.get("transform")
    if transform is not None:
        told.size, told.offset = _transformed(transform)
        if not told.size:
            told.unusable += (f"transform is {str(transform)[:100]}",)
    else:
        told.size = _size(attributes, names, told)
    if "offset" in attributes:
        offset = _lengths(attributes["offset"], attributes.get("units"), names)
        if not offset or (told.offset and not _same(offset, told.offset)):
            told.unusable += (_words(attributes, ("offset", "units")),)
        told.offset = offset
    return told


def _size(attributes: dict[str, Any], names: tuple[str, ...], told: Told) -> PerAxis:
    sizes = {}
    for name in SIZES:
        value: Any = attributes.get(name)
        units = attributes.get("units")
        if isinstance(value, dict):
            value, units = value.get("dimensions"), value.get("unit")
        if name in attributes:
            sizes[name] = _lengths(value, units, names)
            told.notes = () if units else ("no unit is told: nm",)
    if not sizes:
        return {}
    first = next(iter(sizes.values()))
    if not all(size and _same(size, first) for size in sizes.values()):
        told.unusable += (_words(attributes, (*sizes, "units")),)
        return {}
    told.notes = (f"its numbers are read in the order {', '.join(_spatial(names))}", *told.notes)
    return first


def _transformed(transform: Any) -> tuple[PerAxis, PerAxis]:
    """Size and offset; both empty where it is no scale and translation of axes z, y and x."""
    stated: dict[str, Any] = transform if isinstance(transform, dict) else {}
    axes = stated.get("axes")
    names = tuple(str(name).strip().lower() for name in axes) if isinstance(axes, list) else ()
    if not names:
        return {}, {}
    units, moved = stated.get("units"), stated.get("translate", stated.get("translation", [0] * len(names)))
    size, offset = (_lengths(value, units, names) for value in (stated.get("scale"), moved))
    return (size, offset) if size and offset else ({}, {})


def _lengths(value: Any, units: Any, names: tuple[str, ...]) -> PerAxis:
    """nm of z, y and x, from one number for each axis or for each of these three; empty where they are no lengths."""
    told = units if isinstance(units, list) else ["nm" if units is None else units]
    if not isinstance(value, list) or any(type(number) not in {int, float} for number in value):
        return {}
    named = names if len(value) == len(names) and any(names) else _spatial(names)
    factors = [nm_of(unit) for unit in (told * len(value) if len(told) == 1 else told)]
    if not len(value) == len(named) == len(factors):
        return {}
    lengths = {axis: n * (factor or 1) for axis, n, factor in zip(named, value, factors, strict=True) if axis in AXES}
    known = all(factor for axis, factor in zip(named, factors, strict=True) if axis in AXES)
    return lengths if known and len(lengths) == len(AXES) and all(map(isfinite, lengths.values())) else {}


def _spatial(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of z, y and x as they are stored; Z Y X where axes have no names."""
    return tuple(name for name in names if name in AXES) or AXES


def _same(one: PerAxis, other: PerAxis) -> bool:
    return all(isclose(one[axis], other[axis], rel_tol=1e-3) for axis in AXES)


def _words(attributes: dict[str, Any], names: tuple[str, ...]) -> str:
    return "; ".join(f"{name} is {str(attributes[name])[:60]}" for name in names if name in attributes)
