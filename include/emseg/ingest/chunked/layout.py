"""What the documents of a chunked volume say of it: which axis is which, how large voxels are, where the first one is.

Example: axes `(t, c, z, y, x)` of an OME-Zarr with sizes of 40, 4 and 4 nm along z, y and x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, isfinite
from typing import Any

from emseg.ingest.axes import AXES
from emseg.ingest.chunked.location import Location
from emseg.ingest.sources import refuse_source
from emseg.ingest.units import NM_OF_UNIT

PerAxis = Mapping[str, float]


@dataclass(frozen=True)
class Layout:
    """A volume for TensorStore, and what was told of it.

    `location` is the array; `spec` opens it, without its store. `axes` names the stored axes in their order, `""` for
    one without a name. `size_nm` and `offset_nm` (of the first voxel) are given for z, y and x, or are empty;
    `unusable` is what was told of them in another way.
    `is_chunk` tells chunks from other keys below `chunks`; None where chunks cannot be counted.
    """

    format: str
    location: Location
    spec: Mapping[str, Any]
    axes: tuple[str, ...]
    size_nm: PerAxis = field(default_factory=dict)
    offset_nm: PerAxis = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    chunks: Location | None = None
    is_chunk: Callable[[str], bool] | None = None
    unusable: tuple[str, ...] = ()


def nm_of(unit: Any) -> float | None:
    """Nanometres of a unit of length; None for what is none."""
    return NM_OF_UNIT.get(unit.strip().lower()) if isinstance(unit, str) else None


def numbers(value: Any, count: int, what: str, on: Location) -> list[float]:
    """`value` as `count` finite numbers; PermanentError naming `what` for anything else."""
    good = isinstance(value, list) and len(value) == count
    if not good or not all(isinstance(n, int | float) and not isinstance(n, bool) and isfinite(n) for n in value):
        raise refuse_source(str(on), f"{what} is {str(value)[:100]}, not {count} numbers", "Correct the metadata")
    return [float(n) for n in value]


def in_nm(values: Sequence[float], axes: Sequence[str], units: Sequence[float]) -> dict[str, float]:
    """Values of z, y and x in nanometres, from values of all axes."""
    return {axis: value * unit for value, axis, unit in zip(values, axes, units, strict=True) if axis in AXES}


def corner_nm(offset: PerAxis, size: PerAxis, finest_offset: PerAxis, finest_size: PerAxis) -> dict[str, float]:
    """Offset of a coarser scale in a volume whose scales begin at one corner.

    A position is that of a voxel's centre, so a scale of half the resolution begins half a finer voxel later: voxels of
    8 nm at 2 nm cover the same space as voxels of 4 nm at 0 nm. Then the offset of the finest scale is the true one.
    """
    shift = {axis: (size[axis] - finest_size[axis]) / 2 for axis in offset}
    return {
        axis: finest_offset[axis] if isclose(value - finest_offset[axis], shift[axis], abs_tol=1e-6) else value
        for axis, value in offset.items()
    }
