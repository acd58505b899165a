"""Volumes that a file holds as arrays: npy, npz, HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import numpy as np

from emseg.geometry import Box
from emseg.ingest.sources import Array, SourceInfo, VolumeSource, refuse_source, three_axes


class ArrayVolume:
    """A volume behind anything that is indexed like an array; only the box that is asked for is read."""

    def __init__(self, array: Any, address: str, info: SourceInfo | None = None) -> None:
        """`array` has a shape and a dtype, and gives arrays for slices."""
        self.info = info or SourceInfo(address, "array")
        self.shape = three_axes(tuple(array.shape), address)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self._array = array

    def read(self, box: Box) -> Array:
        """The voxels of `box`."""
        return np.asarray(self._array[box.slices()])


def open_numpy(file: Path, name: str) -> VolumeSource:
    """An npy file (mapped, not loaded) or the array `name` of an npz file (loaded: it is compressed as a whole)."""
    try:
        loaded = np.load(file, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return ArrayVolume(loaded, str(file))
        with loaded:
            return ArrayVolume(loaded[_chosen(file, name, list(loaded.files))], f"{file}:{name}")
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise refuse_source(
            file, f"it is no readable numpy file ({error})", "Save it with numpy.save or savez"
        ) from None


class Hdf5Volume:
    """The dataset `name` of an HDF5 file; the file is open only while it is read."""

    def __init__(self, file: Path, name: str) -> None:
        """Look the dataset up."""
        self._file = file
        try:
            with h5py.File(file, "r") as opened:
                names: list[str] = []
                opened.visititems(lambda path, item: names.append(path) if isinstance(item, h5py.Dataset) else None)
                self._name = _chosen(file, name.strip("/"), names)
                self.shape = three_axes(tuple(opened[self._name].shape), f"{file}:{self._name}")
                self.dtype: np.dtype[Any] = np.dtype(opened[self._name].dtype)
                self.info = SourceInfo(f"{file}:{self._name}", "HDF5")
        except OSError as error:
            raise refuse_source(file, f"it is no readable HDF5 file ({error})", "Give an HDF5 file") from None

    def read(self, box: Box) -> Array:
        """The voxels of `box`."""
        with h5py.File(self._file, "r") as opened:
            return np.asarray(opened[self._name][box.slices()])


def _chosen(file: Path, name: str, names: list[str]) -> str:
    if name in names:
        return name
    if not name and len(names) == 1:
        return names[0]
    raise refuse_source(
        f"{file}:{name}",
        f"it holds the arrays {', '.join(names[:20]) or 'none'}",
        f"Name one of them: {file}:NAME",
    )
