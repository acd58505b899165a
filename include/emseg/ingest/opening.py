"""Which reader opens a file.

`open_source("stack/")`, `"volume.tif"`, `"labels.npz:labels"`, `"cube.h5:volumes/raw"`, `"cube.zarr:raw/s0"`,
`"s3://atlas/brain.zarr:s1"`: the part after the last colon names the array inside. It may be left out where there is
only one; of the scales of one volume the finest is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from emseg.ingest.arrays import Hdf5Volume, open_numpy
from emseg.ingest.chunked.location import REMOTE
from emseg.ingest.chunked.volume import open_chunked
from emseg.ingest.sources import VolumeSource, refuse_source
from emseg.ingest.stacks import ImageFolder, open_tiff

MissingChunks = Literal["refuse", "empty"]
"""What a chunk means that is not there: the writer was stopped, or it leaves out chunks without content."""


def open_source(address: str, missing_chunks: MissingChunks = "refuse") -> VolumeSource:
    """The volume at `address`: a folder of images, a TIFF, npy, npz or HDF5 file, or a Zarr, N5 or precomputed volume
    in a folder or at a remote address; see the module's head. `missing_chunks` is about the last three.
    """
    file, inner = _split(address)
    if address.startswith(REMOTE) or Path(file).is_dir():
        chunked = open_chunked(file, inner, missing_chunks == "empty")
        if chunked is not None:
            return chunked
        if inner:
            raise refuse_source(address, "it holds no array of this name", "Name an array of it after the colon")
    opener = None if address.startswith(REMOTE) else _opener(Path(file))
    if opener is None:
        raise refuse_source(
            address,
            "it is no volume that emseg reads" if Path(file).exists() else "there is no such volume",
            "Give a folder of png/tif/jpg images, a .tif, .npy, .npz, .h5 or .hdf5, or a Zarr, N5 or precomputed one",
        )
    return opener(Path(file), inner)


def _split(address: str) -> tuple[str, str]:
    """File and name inside. The colon of `host:8000` is none that begins a name."""
    file, colon, inner = address.rpartition(":")
    if not colon or Path(address).exists() or (address.startswith(REMOTE) and file.count("/") < 3):
        return address, ""
    return file, inner


def _opener(file: Path) -> Callable[[Path, str], VolumeSource] | None:
    if not file.exists():
        return None
    if file.is_dir():
        return lambda folder, _: ImageFolder(folder)
    openers: dict[str, Callable[[Path, str], VolumeSource]] = {
        ".tif": open_tiff,
        ".tiff": open_tiff,
        ".npy": open_numpy,
        ".npz": open_numpy,
        ".h5": Hdf5Volume,
        ".hdf5": Hdf5Volume,
    }
    return openers.get(file.suffix.lower())
