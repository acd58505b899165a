"""What ingestion takes its voxels from: a volume that is read box by box, and what its file says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate

Array = npt.NDArray[Any]
SaidSize = tuple[float | None, float | None, float | None]
"""Edges of a voxel in nm, Z Y X; None for an axis of which the file says nothing (a TIFF often tells Y and X alone)."""


@dataclass(frozen=True)
class SourceInfo:
    """What the file says, shown to a person before the first write.

    `format` is for people, for example `TIFF, 40 pages`. `voxel_size_nm` and `offset_nm` (position of the first voxel),
    Z Y X, are None where the file does not tell. `notes` are remarks in plain words: numbers of the sections, the level
    of a pyramid that was chosen, what the reading library warned of. `altered` says that the
    values are not exactly those that were saved (white is zero, a palette of grays), `lossy` names compressions that
    may have changed them: labels are refused then.
    `unusable` holds what the file says of its place in a way that emseg cannot use; such a file is refused
    unless a person overrules it. `chunk_vox` is what has to be decoded at once, Z Y X, where the voxels lie in chunks.
    """

    address: str
    format: str
    voxel_size_nm: SaidSize | None = None
    offset_nm: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()
    altered: bool = False
    lossy: str = ""
    unusable: tuple[str, ...] = ()
    chunk_vox: Coordinate | None = None


class VolumeSource(Protocol):
    """A ZYX volume of `shape` voxels of type `dtype`."""

    @property
    def shape(self) -> Coordinate:
        """Voxels along Z, Y, X."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        ...

    @property
    def info(self) -> SourceInfo:
        """What the file says of the volume."""
        ...

    def read(self, box: Box) -> Array:
        """The voxels of `box`, which lies inside the shape."""
        ...


def refuse_source(address: str | Path, found: str, remedy: str) -> PermanentError:
    """The error for a file that cannot be ingested."""
    return PermanentError("opening a volume", str(address), found, remedy)


def require_exact(source: VolumeSource, doing: str) -> None:
    """PermanentError for a compression that may change values: an id or a 0 of a mask would become another one."""
    if source.info.lossy:
        raise PermanentError(
            doing,
            source.info.address,
            f"its compression ({source.info.lossy}) may have changed values, and here every value counts",
            "Save it again from what it was made from, not from this file: in a TIFF with deflate or LZW, PNG, npz, "
            "HDF5 with gzip, or a Zarr",
        )


def three_axes(shape: tuple[int, ...], address: str) -> Coordinate:
    """`shape` as Z, Y, X; refuses any other number of axes, and an axis without voxels."""
    if len(shape) != 3:
        raise refuse_source(
            address,
            f"its shape is {shape}",
            "Give a volume of three axes Z, Y, X. Of channels, save one as a volume of its own, "
            "for example array[0] or array[..., 0]; of a single image, image[None]",
        )
    if 0 in shape:
        raise refuse_source(address, f"its shape is {shape}: it holds no voxel", "Give a volume with voxels in it")
    return Coordinate.of(shape)


def long_axes(shape: tuple[int, ...], address: str) -> tuple[int, ...]:
    """Which three axes are Z, Y, X: further axes may have length 1. `(1, 40, 512, 512)` gives (1, 2, 3).

    Axes of length 1 are left out at the end (channels), then at the beginning (time, channels), then between.
    """
    kept = list(range(len(shape)))
    while len(kept) > 3 and shape[kept[-1]] == 1:
        kept.pop()
    while len(kept) > 3 and shape[kept[0]] == 1:
        kept.pop(0)
    for axis in kept[1:-1]:
        if len(kept) > 3 and shape[axis] == 1:
            kept.remove(axis)
    three_axes(tuple(shape[axis] for axis in kept) if len(kept) == 3 else shape, address)
    return tuple(kept)


def chosen_name(file: Path, name: str, names: Sequence[str]) -> str:
    """`name`, or the only one of `names` where none is given."""
    if name in names:
        return name
    if not name and len(names) == 1:
        return names[0]
    raise refuse_source(
        f"{file}:{name}",
        f"it holds the arrays {', '.join(names[:20]) or 'none'}{' ...' if len(names) > 20 else ''}",
        f"Name one of them: {file}:NAME",
    )
