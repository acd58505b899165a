"""Which reader opens a file.

`open_source("stack/")`, `"volume.tif"`, `"labels.npz:labels"`, `"cube.h5:volumes/raw"`, `"cube.zarr:raw/s0"`: the part
after the last colon names the array inside, and may be left out where there is only one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from emseg.ingest.arrays import Hdf5Volume, open_numpy, open_zarr
from emseg.ingest.sources import VolumeSource, refuse_source
from emseg.ingest.stacks import ImageFolder, open_tiff


def open_source(address: str) -> VolumeSource:
    """The volume at `address`: a folder of images, or a TIFF, npy, npz, HDF5 or Zarr file; see the module's head."""
    file, inner = _split(address)
    opener = _opener(file)
    if opener is None:
        raise refuse_source(
            address,
            "it is no volume that emseg reads" if file.exists() else "there is no such file or folder",
            "Give a folder of png/tif/jpg images, or a .tif, .npy, .npz, .h5, .hdf5 or .zarr",
        )
    return opener(file, inner)


def _split(address: str) -> tuple[Path, str]:
    if Path(address).exists() or ":" not in address:
        return Path(address), ""
    file, _, inner = address.rpartition(":")
    return Path(file), inner


def _opener(file: Path) -> Callable[[Path, str], VolumeSource] | None:
    if not file.exists():
        return None
    if file.is_dir():
        is_zarr = any((file / name).exists() for name in ("zarr.json", ".zarray", ".zgroup"))
        return open_zarr if is_zarr else lambda folder, _: ImageFolder(folder)
    openers: dict[str, Callable[[Path, str], VolumeSource]] = {
        ".tif": open_tiff,
        ".tiff": open_tiff,
        ".npy": open_numpy,
        ".npz": open_numpy,
        ".h5": Hdf5Volume,
        ".hdf5": Hdf5Volume,
    }
    return openers.get(file.suffix.lower())
