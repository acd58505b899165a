"""Voxel size and offset in plain attributes of an array, as several tools of this field write them.

    "resolution": [4, 4, 40]                                  nanometres, or `units`; also called `voxel_size`
    "offset": [0, 0, 400]                                     of the first voxel, in the same unit
    "pixelResolution": {"dimensions": [4, 4, 40], "unit": "nm"}
    "transform": {"axes": ["z", "y", "x"], "scale": [40, 4, 4], "translate": [0, 0, 0], "units": ["nm", "nm", "nm"]}

Numbers stand in the order of the array's own axes: Z Y X in Zarr, X Y Z in N5.
"""

from __future__ import annotations

from typing import Any

from emseg.ingest.chunked.layout import AXES, PerAxis, in_nm, nm_of, numbers
from emseg.ingest.chunked.location import Location
from emseg.ingest.sources import refuse_source

Told = tuple[PerAxis, PerAxis, tuple[str, ...]]
"""Voxel size, offset, remarks."""


def told_by_attributes(attributes: dict[str, Any], names: tuple[str, ...], axes: int, location: Location) -> Told:
    """What the attributes tell of an array; nothing where they are silent, or where its axes have no names."""
    transform = attributes.get("transform")
    if isinstance(transform, dict) and "axes" in transform:
        named = tuple(str(name).lower() for name in transform["axes"])
        sizes = numbers(transform.get("scale"), len(named), "transform.scale", location)
        units = _units(transform.get("units"), len(named), location)
        offset = numbers(transform.get("translate", [0] * len(named)), len(named), "transform.translate", location)
        return in_nm(sizes, named, units), in_nm(offset, named, units), ()
    resolution, units_told = _resolution(attributes)
    if resolution is None:
        return {}, {}, ()
    if not set(AXES) <= set(names):
        names = AXES if axes == 3 else ()
    if not names:
        return {}, {}, (f"its voxel size {str(resolution)[:100]} was not used: its axes have no names",)
    # Tools write one number for each axis, or for z, y and x alone.
    named = names if len(resolution) == axes else tuple(name for name in names if name in AXES)
    sizes = numbers(resolution, len(named), "its voxel size", location)
    units = _units(units_told, len(named), location)
    first = attributes.get("offset")
    at = in_nm(numbers(first, len(named), "offset", location), named, units) if isinstance(first, list) else {}
    note = f"its numbers are read in the order {', '.join(named)}"
    return in_nm(sizes, named, units), at, (note, *(() if units_told else ("no unit is told: nm",)))


def _resolution(attributes: dict[str, Any]) -> tuple[list[Any] | None, Any]:
    pixel = attributes.get("pixelResolution")
    if isinstance(pixel, dict) and isinstance(pixel.get("dimensions"), list):
        return pixel["dimensions"], pixel.get("unit")
    for name in ("voxel_size", "resolution", "pixelResolution"):
        if isinstance(attributes.get(name), list):
            return attributes[name], attributes.get("units")
    return None, None


def _units(told: Any, count: int, location: Location) -> list[float]:
    units = told if isinstance(told, list) else ["nm" if told is None else told] * count
    found = [nm_of(unit) for unit in units]
    known = [unit for unit in found if unit is not None]
    if len(known) != count:
        raise refuse_source(str(location), f"its units are {str(told)[:100]}", "Correct them: nm, um, mm or angstrom")
    return known
