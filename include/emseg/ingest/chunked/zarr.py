"""What a Zarr array says of itself (format 2 and 3), alone or in a group that names one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emseg.ingest.axes import known_axes
from emseg.ingest.chunked.layout import Layout, numbers
from emseg.ingest.chunked.location import Location
from emseg.ingest.chunked.missing import grid_key, grid_of
from emseg.ingest.chunked.ome import finest_of, image_with
from emseg.ingest.chunked.plain_attributes import told_by_attributes, transform_axes
from emseg.ingest.sources import refuse_source


@dataclass(frozen=True)
class ZarrArray:
    """Names and attributes of an array, and how its chunks are called."""

    format: int
    shape: list[float]
    chunk: list[float]
    names: tuple[str, ...]
    attributes: dict[str, Any]
    prefix: str
    separator: str


def zarr_layout(location: Location) -> Layout | None:
    """The array at `location`, or of the group there: the finest scale of an OME-Zarr, or the only array."""
    array = _array(location)
    if array is None:
        attributes = _group(location)
        if attributes is None:
            return None
        name = finest_of(attributes, location) or only_one(location, _named_arrays(location))
        location = location.child(name)
        array = _array(location)
        if array is None:
            raise refuse_source(str(location), "there is no array", "Copy the source again, or name another scale")
    axes = len(array.shape)
    grid = grid_of([int(n) for n in array.shape], [int(n) for n in array.chunk])
    common: dict[str, Any] = {
        "location": location,
        "spec": {"driver": "zarr3" if array.format == 3 else "zarr"},
        "is_chunk": grid_key(array.prefix, array.separator, grid),
    }
    found = image_with(location, lambda parent: _group(parent) or {})
    if found:
        layout = found[0].layout(found[1], axes, **common)
        if any(array.names) and array.names != layout.axes:
            named = f"the image calls its axes {', '.join(layout.axes)}, its array {', '.join(array.names)}"
            raise refuse_source(str(location), named, "Correct the names that are wrong")
        return layout
    told = told_by_attributes(array.attributes, array.names)
    return Layout(
        f"Zarr {array.format}",
        axes=array.names,
        size_nm=told.size,
        offset_nm=told.offset,
        notes=told.notes,
        unusable=told.unusable,
        **common,
    )


def only_one(location: Location, names: list[str]) -> str:
    """The name of the only array of a group; PermanentError that lists the names where there is a choice."""
    if len(names) == 1:
        return names[0]
    found = f"it is a group that holds the arrays {', '.join(names[:20])}" if names else "it is a group of arrays"
    raise refuse_source(str(location), found, f"Name one array after a colon: {location}:NAME")


def _named_arrays(location: Location) -> list[str]:
    """Arrays below a group in a folder, two levels deep."""
    names = []
    for name in location.folders():
        inside = location.child(name)
        if _array(inside) is not None:
            names.append(name)
        else:
            names += [f"{name}/{deep}" for deep in inside.folders() if _array(inside.child(deep)) is not None]
    return names


def _group(location: Location) -> dict[str, Any] | None:
    """Attributes of the group at `location`, None where there is none."""
    document = location.document("zarr.json")
    if document is not None:
        attributes = document.get("attributes")
        return attributes if isinstance(attributes, dict) else {}
    attributes = location.document(".zattrs")
    return attributes or ({} if location.document(".zgroup") is not None else None)


def _array(location: Location) -> ZarrArray | None:
    document = location.document("zarr.json")
    if document is not None and document.get("node_type") == "array":
        return _format_3(document, location)
    document = location.document(".zarray")
    return None if document is None else _format_2(document, location)


def _format_3(document: dict[str, Any], location: Location) -> ZarrArray:
    encoding = document.get("chunk_key_encoding")
    encoding = encoding if isinstance(encoding, dict) else {}
    is_default = encoding.get("name", "default") == "default"
    settings = encoding.get("configuration") or {}
    separator = str(settings.get("separator", "/" if is_default else "."))
    shape = _shape(document.get("shape"), "shape", location)
    grid = document.get("chunk_grid")
    chunk = (grid.get("configuration") or {}).get("chunk_shape") if isinstance(grid, dict) else None
    attributes = document.get("attributes") or {}
    return ZarrArray(
        3,
        shape,
        numbers(chunk, len(shape), "chunk_shape", location),
        _names(document.get("dimension_names"), "dimension_names", attributes, len(shape), location),
        attributes,
        f"c{separator}" if is_default else "",
        separator,
    )


def _format_2(document: dict[str, Any], location: Location) -> ZarrArray:
    attributes = location.document(".zattrs") or {}
    shape = _shape(document.get("shape"), "shape", location)
    return ZarrArray(
        2,
        shape,
        numbers(document.get("chunks"), len(shape), "chunks", location),
        _names(attributes.get("_ARRAY_DIMENSIONS"), "_ARRAY_DIMENSIONS", attributes, len(shape), location),
        attributes,
        "",
        str(document.get("dimension_separator", ".")),
    )


def _names(told: Any, where: str, attributes: dict[str, Any], axes: int, location: Location) -> tuple[str, ...]:
    """As the format names them; else as funlib does, or as `transform` does."""
    for place, named in (
        (where, told),
        ("attribute axis_names", attributes.get("axis_names")),
        ("attribute transform", transform_axes(attributes)),
    ):
        names = known_axes(named, axes, str(location), place)
        if any(names):
            return names
    return ("",) * axes


def _shape(value: Any, what: str, location: Location) -> list[float]:
    return numbers(value, len(value) if isinstance(value, list) else 3, what, location)
