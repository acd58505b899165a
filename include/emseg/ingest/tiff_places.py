"""What a TIFF says of the size of its voxels: OME-XML, ImageJ's spacing, or the tags for resolution."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from emseg.ingest.sources import SaidSize
from emseg.ingest.units import in_nm

UNIT_OF_TAG = {2: "inch", 3: "cm", 4: "mm", 5: "um"}
LARGEST_PIXEL_NM = 10_000.0
"""Programs that know no size write 72 or 300 dots an inch, which are pixels of 353 or 85 µm: no microscope's."""


def said_size(opened: Any, ome: Element | None) -> SaidSize | None:
    """Size of a voxel in nm, Z Y X, None for an axis without one; None where the file tells nothing in a real unit."""
    size = _of_ome(ome) if ome is not None else _of_imagej(opened) if opened.is_imagej else _of_tags(opened.pages[0])
    return None if size == (None, None, None) else size


def _of_ome(ome: Element) -> SaidSize:
    pixels = next(element for element in ome.iter() if element.tag.endswith("}Pixels"))
    z, y, x = (in_nm(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX")
    return z, y, x


def _of_imagej(opened: Any) -> SaidSize:
    said = opened.imagej_metadata or {}
    unit = said.get("unit", "pixel")
    across = [in_nm(per, unit) for per in _pixel(opened.pages[0])]
    return in_nm(said.get("spacing"), unit), *across  # type: ignore[return-value]


def _of_tags(page: Any) -> SaidSize:
    unit = UNIT_OF_TAG.get(int(page.tags.valueof("ResolutionUnit", 1)))
    y, x = (in_nm(per, unit) for per in _pixel(page))
    real = y is not None and x is not None and max(y, x) < LARGEST_PIXEL_NM
    return (None, y, x) if real else (None, None, None)


def _pixel(page: Any) -> tuple[float | None, float | None]:
    """Edges of a pixel along Y and X, in the unit of the file."""
    y, x = (page.tags.valueof(tag) for tag in ("YResolution", "XResolution"))
    return tuple(pair[1] / pair[0] if pair and pair[0] else None for pair in (y, x))  # type: ignore[return-value]
