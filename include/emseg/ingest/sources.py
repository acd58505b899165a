"""What ingestion takes its voxels from: a volume that is read box by box, and what its file says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate, VoxelSize

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SourceInfo:
    """What the file says, shown to a person before the first write.

    `format` is for people, for example `TIFF, 40 pages`. `voxel_size_nm` and `offset_nm` (position of the first voxel),
    Z Y X, are None where the file does not tell. `notes` are remarks in plain words: numbers of the sections, the level
    of a pyramid that was chosen, what the reading library warned of. `chunk_vox` is what has to be decoded at once,
    Z Y X, where the voxels lie in chunks.
    """

    address: str
    format: str
    voxel_size_nm: VoxelSize | None = None
    offset_nm: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()
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


def three_axes(shape: tuple[int, ...], address: str) -> Coordinate:
    """`shape` as Z, Y, X; refuses any other number of axes, and an axis without voxels."""
    if len(shape) != 3:
        raise refuse_source(address, f"its shape is {shape}", "Give a volume of three axes Z, Y, X without channels")
    if 0 in shape:
        raise refuse_source(address, f"its shape is {shape}: it holds no voxel", "Give a volume with voxels in it")
    return Coordinate.of(shape)
