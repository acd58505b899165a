"""What the `info` of a neuroglancer precomputed volume says. Axes are X, Y, Z and channel; sizes are in nanometres."""

from __future__ import annotations

import re
from typing import Any

from emseg.ingest.chunked.layout import Layout, numbers
from emseg.ingest.chunked.location import Location
from emseg.ingest.sources import refuse_source

_CHUNK = re.compile(r"-?\d+--?\d+_-?\d+--?\d+_-?\d+--?\d+(\.gz)?")


def precomputed_layout(location: Location, scale: str) -> Layout | None:
    """The scale with the key `scale`, the finest where it is empty; None where `location` has no `info` of a volume."""
    info = location.document("info")
    if info is None or not isinstance(info.get("scales"), list) or not info["scales"]:
        return None
    scales: dict[str, Any] = {str(each.get("key")): each for each in info["scales"] if isinstance(each, dict)}
    if scale and scale not in scales:
        raise refuse_source(
            str(location), f"it has no scale {scale!r}; there are {', '.join(scales)}", "Name one of them after a colon"
        )
    key = scale or _finest(scales, location)
    chosen, names = scales[key], ("x", "y", "z")
    size = numbers(chosen.get("resolution"), 3, f"resolution of scale {key}", location)
    first = numbers(chosen.get("voxel_offset", [0, 0, 0]), 3, f"voxel_offset of scale {key}", location)
    others = ", ".join(each for each in scales if each != key)
    inside = location.child(key)
    return Layout(
        f"neuroglancer precomputed, scale {key}",
        location,
        {"driver": "neuroglancer_precomputed", "scale_index": list(scales).index(key)},
        (*names, "channel"),
        dict(zip(names, size, strict=True)),
        {name: at * edge for name, at, edge in zip(names, first, size, strict=True)},
        (f"scale {key} is read; the others are {others}",) if others else (),
        inside,
        None if chosen.get("sharding") else lambda name: _CHUNK.fullmatch(name) is not None,
    )


def _finest(scales: dict[str, Any], location: Location) -> str:
    def volume(key: str) -> float:
        x, y, z = numbers(scales[key].get("resolution"), 3, f"resolution of scale {key}", location)
        return x * y * z

    return min(scales, key=volume)
