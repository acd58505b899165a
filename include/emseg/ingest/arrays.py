"""Volumes that a file holds as arrays: npy, npz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emseg.geometry import Box, Coordinate
from emseg.ingest.numpy_files import npz_names, read_npz_array
from emseg.ingest.sources import Array, SourceInfo, VolumeSource, chosen_name, long_axes


class ArrayVolume:
    """A volume behind anything that is indexed like an array; only the box that is asked for is read."""

    def __init__(
        self,
        array: Any,
        address: str,
        info: SourceInfo | None = None,
        shown: Callable[[Array], Array] = np.asarray,
    ) -> None:
        """`array` has a shape and a dtype, and gives arrays for slices; `shown` makes of them what is read.

        Axes of length 1 may stand beside Z, Y, X; a note tells it.
        """
        shape = tuple(int(count) for count in array.shape)
        self._axes = long_axes(shape, address)
        self._array, self._shown, self._all_axes = array, shown, len(shape)
        self.shape = Coordinate.of(tuple(shape[axis] for axis in self._axes))
        self.dtype: np.dtype[Any] = shown(np.zeros(1, array.dtype)).dtype
        self.info = info or SourceInfo(address, "array")
        if len(shape) > 3:
            note = f"its shape is {shape}; Z, Y, X are its axes {', '.join(map(str, self._axes))}, counted from 0"
            self.info = replace(self.info, notes=(*self.info.notes, note))

    def read(self, box: Box) -> Array:
        """The voxels of `box`."""
        index: list[slice | int] = [0] * self._all_axes
        for axis, along in zip(self._axes, box.slices(), strict=True):
            index[axis] = along
        return self._shown(np.asarray(self._array[tuple(index)]))


def open_numpy(file: Path, name: str) -> VolumeSource:
    """An npy file (mapped, not loaded) or the array `name` of an npz file (loaded: it is compressed as a whole)."""
    if file.suffix.lower() == ".npy":
        return ArrayVolume(np.load(file, mmap_mode="r", allow_pickle=False), str(file))
    return _of_npz(file, name)


def _of_npz(file: Path, name: str) -> VolumeSource:
    chosen = chosen_name(file, name, npz_names(file))
    return ArrayVolume(read_npz_array(file, chosen, "opening a volume"), f"{file}:{chosen}")
