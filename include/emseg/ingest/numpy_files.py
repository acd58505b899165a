"""Arrays of npz files, never more of them than fits: a header of a few bytes may promise terabytes.

`emseg segment`, `evaluate` and `train` read their volumes here, and so does `emseg ingest`.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from emseg.errors import PermanentError
from emseg.ingest.memory import require_memory
from emseg.ingest.sources import Array

SUFFIX = ".npy"


def npz_names(file: Path) -> list[str]:
    """Names of the arrays, in their order; PermanentError where two arrays have one name."""
    with ZipFile(file) as opened:
        names = [name.removesuffix(SUFFIX) for name in opened.namelist() if name.endswith(SUFFIX)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found = f"it holds several arrays of the name {', '.join(twice[:10])}, so nobody can say which is meant"
        raise PermanentError("opening a volume", str(file), found, "Save it again with numpy.savez_compressed")
    return names


def read_npz_array(file: Path, name: str, doing: str) -> Array:
    """Array `name`, which is one of `npz_names`. Libraries' errors pass: call it inside `guarded`.

    PermanentError where the array is larger than the memory, or than what the file holds of it.
    """
    on = f"{file}:{name}"
    with ZipFile(file) as opened:
        entry = opened.getinfo(name + SUFFIX)
        with opened.open(entry) as stream:
            version = npy.read_magic(stream)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = header(stream)
            promised, held = dtype.itemsize * int(np.prod(shape, dtype=object)), entry.file_size - stream.tell()
    if dtype.hasobject:
        found = "it holds Python objects, which emseg never loads"
        raise PermanentError(doing, on, found, "Save numbers: numpy.savez_compressed with integer arrays")
    if promised != held:
        found = f"its header promises {promised} bytes for {dtype} {shape}, and {held} follow"
        raise PermanentError(doing, on, found, "The file is damaged: save it again with numpy.savez_compressed")
    require_memory(promised, doing, on)
    with np.load(file, allow_pickle=False) as arrays:
        return np.asarray(arrays[name])
