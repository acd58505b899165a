"""OME-Zarr 0.4 and 0.5: a group that says which arrays are the scales of one image, and where their voxels are.

    "multiscales": [{"axes": [{"name": "z", "type": "space", "unit": "nanometer"}, ...],
                     "datasets": [{"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": [...]}, ...]},
                                  {"path": "s1", ...}]}]

A position is `scale * index + translation`, first as the dataset says, then as the image says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emseg.ingest.axes import AXES, known_axes
from emseg.ingest.chunked.layout import Layout, PerAxis, corner_nm, in_nm, nm_of, numbers
from emseg.ingest.chunked.location import Location
from emseg.ingest.sources import refuse_source


@dataclass(frozen=True)
class Dataset:
    """One scale: path of its array, size and position of its voxels for each axis, in the units of the axes."""

    path: str
    size: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True)
class OmeImage:
    """The scales of an image, the finest first."""

    version: str
    names: tuple[str, ...]
    units: tuple[Any, ...]
    datasets: tuple[Dataset, ...]

    def layout(self, path: str, axes: int, **common: Any) -> Layout:
        """The layout of the array at `path`, which has so many axes."""
        location: Location = common["location"]
        if axes != len(self.names):
            found = f"the image has {len(self.names)} axes, its array has {axes}"
            raise refuse_source(str(location), found, "Correct the metadata, or copy the array to one of its own")
        chosen = next(dataset for dataset in self.datasets if dataset.path == path)
        size, offset, notes, unusable = self._nm(chosen)
        others = ", ".join(dataset.path for dataset in self.datasets if dataset.path != path)
        if others:
            notes = (*notes, f"scale {path} is read; the others are {others}")
        return Layout(
            f"OME-Zarr {self.version}, scale {path}",
            axes=self.names,
            size_nm=size,
            offset_nm=offset,
            notes=notes,
            unusable=unusable,
            **common,
        )

    def _nm(self, chosen: Dataset) -> tuple[PerAxis, PerAxis, tuple[str, ...], tuple[str, ...]]:
        units = [nm_of(unit) for unit in self.units]
        unknown = [name for name, unit in zip(self.names, units, strict=True) if name in AXES and unit is None]
        if unknown:
            sizes = dict(zip(self.names, chosen.size, strict=True))
            note = f"its voxel size {sizes} was not used: no unit of length for {', '.join(unknown)}"
            moved = f"its translation is {chosen.offset}, without a unit of length for {', '.join(unknown)}"
            return {}, {}, (note,), (moved,) * any(chosen.offset)
        known = [unit or 1.0 for unit in units]
        finest = self.datasets[0]
        size, size_0 = (in_nm(each.size, self.names, known) for each in (chosen, finest))
        offset, offset_0 = (in_nm(each.offset, self.names, known) for each in (chosen, finest))
        return size, corner_nm(offset, size, offset_0, size_0), (), ()


def image_with(location: Location, attributes_of: Callable[[Location], dict[str, Any]]) -> tuple[OmeImage, str] | None:
    """The image that has the array at `location` as a scale, and the path of the array in it."""
    for parent, path in location.parents():
        images = images_of(attributes_of(parent), parent)
        found = [image for image in images if any(dataset.path == path for dataset in image.datasets)]
        if len(found) > 1:
            known = f"{len(found)} of its images have the scale {path}"
            raise refuse_source(str(parent), known, "Correct the metadata, or copy the array to one of its own")
        if found:
            return found[0], path
    return None


def finest_of(attributes: dict[str, Any], location: Location) -> str | None:
    """Path of the finest scale of the image that a group declares, None where it declares none; one must be named where
    there are several.
    """
    images = images_of(attributes, location)
    if len(images) > 1:
        paths = ", ".join(dataset.path for image in images for dataset in image.datasets)
        found = f"it holds {len(images)} images, with the scales {paths}"
        raise refuse_source(str(location), found, f"Name one scale after a colon: {location}:NAME")
    return images[0].datasets[0].path if images else None


def images_of(attributes: dict[str, Any], location: Location) -> list[OmeImage]:
    """The images that a group declares; PermanentError for what is no image."""
    ome = attributes.get("ome")
    declared = (ome if isinstance(ome, dict) else attributes).get("multiscales")
    if declared is None:
        return []
    try:
        return [_image(image, ome, location) for image in declared]
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        found = f"its multiscales are not those of OME-Zarr 0.4 or 0.5 ({type(error).__name__}: {error})"
        raise refuse_source(str(location), found, "Correct the metadata, or copy the array to one of its own") from None


def _image(image: dict[str, Any], ome: Any, location: Location) -> OmeImage:
    version = str(ome["version"] if isinstance(ome, dict) else image.get("version", "0.4"))
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image["axes"]]
    after = _transform(image.get("coordinateTransformations", []), len(axes), location)
    if not image["datasets"]:
        raise KeyError("no datasets")
    return OmeImage(
        version,
        known_axes([axis["name"] for axis in axes], len(axes), str(location), "multiscales"),
        tuple(axis.get("unit") for axis in axes),
        tuple(_dataset(each, after, location) for each in image["datasets"]),
    )


def _dataset(declared: dict[str, Any], after: Dataset, location: Location) -> Dataset:
    own = _transform(declared["coordinateTransformations"], len(after.size), location)
    size = tuple(a * b for a, b in zip(own.size, after.size, strict=True))
    offset = tuple(a * b + c for a, b, c in zip(own.offset, after.size, after.offset, strict=True))
    return Dataset(str(declared["path"]).strip("/"), size, offset)


def _transform(steps: list[dict[str, Any]], axes: int, location: Location) -> Dataset:
    """What the steps, one after the other, make of an index."""
    size, offset = [1.0] * axes, [0.0] * axes
    for step in steps:
        kind = step["type"]
        values = [] if kind == "identity" else numbers(step.get(kind), axes, f"the {kind} of a scale", location)
        if kind == "scale":
            size = [a * b for a, b in zip(size, values, strict=True)]
            offset = [a * b for a, b in zip(offset, values, strict=True)]
        elif kind == "translation":
            offset = [a + b for a, b in zip(offset, values, strict=True)]
        elif kind != "identity":
            raise refuse_source(str(location), f"it has a transform {kind!r}", "Give scale and translation only")
    return Dataset("", tuple(size), tuple(offset))
