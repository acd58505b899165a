"""What an N5 array says of itself. N5 stores X first; `s0`, `s1`, ... in a group are the scales of one volume.

Attributes are inherited from the groups above, as readers of the field do.
"""

from __future__ import annotations

from typing import Any

from emseg.ingest.axes import AXES, known_axes
from emseg.ingest.chunked.layout import Layout, numbers
from emseg.ingest.chunked.location import Location
from emseg.ingest.chunked.missing import grid_key, grid_of
from emseg.ingest.chunked.plain_attributes import told_by_attributes, transform_axes
from emseg.ingest.chunked.zarr import only_one
from emseg.ingest.sources import refuse_source

_FILE = "attributes.json"
_NAMES = ("x", "y", "z", "c", "t")


def n5_layout(location: Location) -> Layout | None:
    """The array at `location`, or of the group there: its `s0`, or its only array."""
    document = location.document(_FILE)
    if document is None or "dimensions" not in document:
        inside = _inside(location, document is not None)
        if inside is None:
            return None
        location = location.child(inside)
        document = location.document(_FILE) or {}
    axes = document.get("dimensions")
    shape = [int(n) for n in numbers(axes, len(axes) if isinstance(axes, list) else 3, "dimensions", location)]
    chunk = [int(n) for n in numbers(document.get("blockSize"), len(shape), "blockSize", location)]
    _check_lists(document, len(shape), location)
    attributes = _inherited(location) | document
    names = _names(attributes, len(shape), location)
    told = told_by_attributes(attributes, names)
    size, notes = told.size, told.notes
    factors = None if isinstance(attributes.get("transform"), dict) else _factors(location, document, len(shape))
    if factors and size:
        coarser = dict(zip(names, factors, strict=True))
        size = {axis: size[axis] * coarser[axis] for axis in AXES}
        notes = (*notes, f"downsampled by {factors} ({', '.join(names)})")
    return Layout(
        f"N5, {location.path.rpartition('/')[2]}",
        location,
        {"driver": "n5"},
        names,
        size,
        told.offset,
        (f"N5 keeps X first: its axes are {', '.join(names)}", *notes),
        unusable=told.unusable,
        is_chunk=grid_key("", "/", grid_of(shape, chunk)),
    )


def _check_lists(document: dict[str, Any], axes: int, location: Location) -> None:
    """N5 has one of these for each axis, and TensorStore opens nothing else."""
    for name in ("axes", "units", "resolution"):
        value = document.get(name, [None] * axes)
        if not isinstance(value, list) or len(value) != axes:
            raise refuse_source(
                f"{location}/{_FILE}",
                f"{name} is {str(value)[:100]}, and the array has {axes} axes",
                f"Give {name} as a list with an entry for each axis, X first, or remove it there",
            )


def _inside(location: Location, is_group: bool) -> str | None:
    """Name of the array in a group; None where nothing shows that it is N5."""
    names = [n for n in location.folders() if "dimensions" in (location.child(n).document(_FILE) or {})]
    if "s0" in names or (is_group and (location.child("s0").document(_FILE) or {}).get("dimensions")):
        return "s0"
    return only_one(location, names) if is_group or names else None


def _inherited(location: Location) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for parent, _ in reversed(location.parents()):
        attributes |= parent.document(_FILE) or {}
    return attributes


def _names(attributes: dict[str, Any], axes: int, location: Location) -> tuple[str, ...]:
    """As `axes` or `transform` name them; else X first."""
    told, where = attributes.get("axes"), "axes of attributes.json"
    named = transform_axes(attributes)
    if told is None and named is not None:
        told, where = named[::-1], "transform of attributes.json"
    names = known_axes(told, axes, str(location), where)
    return names if any(names) else _NAMES[:axes]


def _factors(location: Location, document: dict[str, Any], axes: int) -> list[float] | None:
    """How much coarser the array is than the voxel size that is told, for each axis."""
    name = location.path.rpartition("/")[2]
    for parent, path in location.parents()[:1]:
        group = parent.document(_FILE) or {}
        every = group.get("downsamplingFactors", group.get("scales"))
        if isinstance(every, list) and path == name and name[:1] == "s" and name[1:].isdigit():
            number = int(name[1:])
            if number < len(every):
                return numbers(every[number], axes, f"downsamplingFactors of {name}", location)
    own = document.get("downsamplingFactors")
    return None if own is None else numbers(own, axes, "downsamplingFactors", location)
