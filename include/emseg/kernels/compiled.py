"""Functions that Numba compiles and keeps on disk, so that the next process does not compile them again.

Example: `count_pairs` of two uint64 arrays is one variant of a function, and lies in one file. The file is named by a
digest of all that it was made from: the types, the processor, and the source of every file of emseg that the function's
module can reach by import. There is no index.

Numba's own cache is not used, because it has an index of the variants of each function and looks at one source file.
Two processes that add to the index at once may give two variants one file; a process may read a file that an earlier
version of the code left; and a helper in another file of emseg may change unseen. Each ends in wrong numbers without an
error.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

import emseg
from emseg.imports import imported_by, reached

_PACKAGE = Path(emseg.__file__).parent
_log = logging.getLogger(__name__)


def compiled(function: Callable[..., object]) -> Any:
    """A function that Python calls, compiled for the types that it is called with; it runs without the GIL.

    A helper that only compiled functions call takes `njit(nogil=True)` instead: it becomes part of its callers. Files
    lie where Numba puts them: in `__pycache__` beside the module, or in the user's cache folder if that is read-only.
    Where neither can be written, nothing is kept, and each process compiles anew.
    """
    dispatcher: Any = numba.njit(nogil=True)(function)
    try:
        dispatcher._cache = _Kept(function)
    except RuntimeError:  # Numba finds no folder
        _warn_of_no_folder()
    return dispatcher


@cache
def _warn_of_no_folder() -> None:
    _log.warning("Compiled functions cannot be kept, so each process compiles them anew: give NUMBA_CACHE_DIR a folder")


class _Kept(FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function, with a file for each variant."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        module = Path(function.__code__.co_filename)
        self._cache_file = FileOfVariant(self._cache_path, self._impl.filename_base, module)


class FileOfVariant(IndexDataCacheFile):  # type: ignore[misc]
    """Keeps what was compiled for a key (types, processor, bytecode), each key in a file of its own."""

    def __init__(self, folder: str, function: str, module: Path) -> None:
        super().__init__(folder, function, None)
        self._function, self._sources = function, sources_digest(module)

    def flush(self) -> None:
        """Forget nothing: other sources have other files."""

    def save(self, key: object, data: object) -> None:
        """Keep `data`, as Numba reduced it, for `key`; over what is there."""
        self._save_data(self._name(key), (key, data))

    def load(self, key: object) -> object:
        """What was kept for `key`, or None."""
        try:
            kept, data = self._load_data(self._name(key))
        except FileNotFoundError:
            return None
        return data if kept == key else None

    @contextmanager
    def _open_for_write(self, path: str) -> Iterator[IO[bytes]]:
        """A file that gets its name when all of it is on the disk: if the machine crashes, no torn file is left."""
        with super()._open_for_write(path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def _name(self, key: object) -> str:
        made_from = f"{numba.__version__} {self._sources} {key}"
        return f"{self._function}.{sha256(made_from.encode()).hexdigest()[:32]}.nbc"


@cache
def sources_digest(module: Path) -> str:
    """Digest of a module's file and of all files of emseg that it can reach by import, byte for byte.

    It takes a millisecond for each file, once a process.
    """
    files = {module, *reached(imported_by(module, _PACKAGE).modules, _PACKAGE).modules.values()}
    digest = sha256()
    for path in sorted(files):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()
