"""What ingestion takes its voxels from: a volume that is read box by box."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate

Array = npt.NDArray[Any]


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

    def read(self, box: Box) -> Array:
        """The voxels of `box`, which lies inside the shape."""
        ...


def refuse_source(address: str | Path, found: str, remedy: str) -> PermanentError:
    """The error for a file that cannot be ingested."""
    return PermanentError("opening a volume", str(address), found, remedy)


def three_axes(shape: tuple[int, ...], address: str) -> Coordinate:
    """`shape` as Z, Y, X; refuses any other number of axes."""
    if len(shape) != 3:
        raise refuse_source(address, f"its shape is {shape}", "Give a volume of three axes Z, Y, X without channels")
    return Coordinate.of(shape)
