"""Which reader opens a file.

`open_source("stack/")`, `"volume.tif"`, `"labels.npz:labels"`, `"cube.h5:volumes/raw"`, `"cube.zarr:raw/s0"`,
`"s3://atlas/brain.zarr:s1"`: the part after a colon names the array inside. It may be left out where there is only
one; of the scales of one volume the finest is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from emseg.ingest.arrays import open_numpy
from emseg.ingest.chunked.location import REMOTE
from emseg.ingest.chunked.volume import open_chunked
from emseg.ingest.folders import Gaps, open_folder
from emseg.ingest.guarding import GuardedSource, guarded
from emseg.ingest.hdf5 import Hdf5Volume
from emseg.ingest.sources import VolumeSource, refuse_source
from emseg.ingest.tiff import open_tiff

MissingChunks = Literal["refuse", "empty"]
"""What a chunk means that is not there: the writer was stopped, or it leaves out chunks without content."""


def open_source(address: str, missing_chunks: MissingChunks = "refuse", gaps: Gaps = Gaps.REFUSE) -> VolumeSource:
    """The volume at `address`: a folder of images, a TIFF, npy, npz or HDF5 file, or a Zarr, N5 or precomputed volume
    in a folder or at a remote address; see the module's head.

    `missing_chunks` is about HDF5, Zarr, N5 and precomputed volumes, `gaps` about folders in which numbers of sections
    are missing. PermanentError for what cannot be read whole, here or at `read`; what the reading libraries warn of is
    among the notes of `info`.
    """
    with guarded("opening a volume", address) as warned:
        source = _opened(address, missing_chunks == "empty", gaps)
    return GuardedSource(source, tuple(warned))


def _opened(address: str, accept_missing: bool, gaps: Gaps) -> VolumeSource:
    file, inner = split_address(address)
    if address.startswith(REMOTE) or Path(file).is_dir():
        chunked = open_chunked(file, inner, accept_missing)
        if chunked is not None:
            return chunked
        if inner:
            raise refuse_source(address, "it holds no array of this name", "Name an array of it after the colon")
    opener = None if address.startswith(REMOTE) else _opener(Path(file), accept_missing, gaps)
    if opener is None:
        raise refuse_source(
            address,
            "it is no volume that emseg reads" if Path(file).exists() else "there is no such volume",
            "Give a folder of png/tif/jpg images, a .tif, .npy, .npz, .h5, .hdf5 or .hdf, or a Zarr, N5 or "
            "precomputed volume",
        )
    return opener(Path(file), inner)


def split_address(address: str) -> tuple[str, str]:
    """File and name inside. Files and names may hold colons; that of `host:8000` begins no name."""
    if address.startswith(REMOTE):
        file, colon, inner = address.rpartition(":")
        return (file, inner) if colon and file.count("/") >= 3 else (address, "")
    parts = address.split(":")
    for count in range(len(parts), 0, -1):
        if Path(":".join(parts[:count])).exists():
            return ":".join(parts[:count]), ":".join(parts[count:])
    file, colon, inner = address.rpartition(":")
    return (file, inner) if colon else (address, "")


def _opener(file: Path, accept_missing: bool, gaps: Gaps) -> Callable[[Path, str], VolumeSource] | None:
    if not file.exists():
        return None
    if file.is_dir():
        return lambda folder, _: open_folder(folder, gaps)
    hdf5 = partial(Hdf5Volume, accept_missing=accept_missing)
    openers: dict[str, Callable[[Path, str], VolumeSource]] = {
        ".tif": open_tiff,
        ".tiff": open_tiff,
        ".npy": open_numpy,
        ".npz": open_numpy,
        ".h5": hdf5,
        ".hdf5": hdf5,
        ".hdf": hdf5,
    }
    return openers.get(file.suffix.lower())
