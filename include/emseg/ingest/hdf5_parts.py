"""Whether all of an HDF5 array is there. HDF5 gives the fill value, without a word, for a chunk that was never written,
for the end of an external file, and for whatever the sources of a virtual array lack.
"""

from __future__ import annotations

from math import ceil, prod
from pathlib import Path

import h5py

from emseg.ingest.chunked.guard import EMPTY_REMEDY
from emseg.ingest.memory import require_memory
from emseg.ingest.sources import refuse_source


def opened_array(opened: h5py.File, name: str) -> h5py.Dataset:
    """The array `name`; external files of it are looked for beside its own, not where the process happens to run."""
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix(b"${ORIGIN}")
    return h5py.Dataset(h5py.h5d.open(opened.id, name.encode(), access))


def check_external(dataset: h5py.Dataset, address: str) -> None:
    """Refuse an array whose raw files are missing or too short, or whose chunks no memory can hold."""
    folder, left = Path(dataset.file.filename).parent, dataset.nbytes
    for name, offset, size in dataset.external or ():
        needed = min(size, left)
        held = (folder / name).stat().st_size if (folder / name).is_file() else 0
        if held < offset + needed:
            found = f"its voxels lie in {name}, which is missing or too short"
            raise refuse_source(address, found, "Copy that file beside this one")
        left -= needed
    if dataset.chunks:
        require_memory(prod(dataset.chunks) * dataset.dtype.itemsize, "opening a volume", address)


def missing(dataset: h5py.Dataset, accept: bool, address: str) -> tuple[str, ...]:
    """A note on parts that were never written; refused unless they are said to be empty."""
    if dataset.is_virtual or dataset.external or dataset.size == 0:
        return ()
    if dataset.chunks is None:
        found = "" if dataset.id.get_storage_size() else "its voxels were never written"
    else:
        every = prod(ceil(length / chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True))
        lost = every - dataset.id.get_num_chunks()
        found = f"{lost} of its {every} chunks were never written" if lost else ""
    if found and not accept:
        raise refuse_source(address, found, EMPTY_REMEDY)
    return (f"{found}: they read as {dataset.fillvalue}",) if found else ()
