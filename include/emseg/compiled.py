"""Functions that Numba compiles and keeps on disk, so that the next process does not compile them again.

Numba's own cache keeps an index of a function's variants. Two processes that add to it at once may give two variants
one file; a file left by an earlier version of the code may be read before it is replaced; and what a function takes
from other modules of emseg may change unseen. Each ends in wrong numbers without an error. Here every variant has a
file of its own, named by a digest of all that it was made from, and there is no index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

import emseg

_PACKAGE = Path(emseg.__file__).parent
_IMPORT = re.compile(r"^\s*from (emseg[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)
_NAME = re.compile(r"\w+")


def compiled(function: Callable[..., object]) -> Any:
    """Compile a function for the types that it is called with, without the GIL; for those that Python calls.

    Helpers that only compiled functions call take `njit(nogil=True)`: they become part of their callers. Files lie
    where Numba puts them: in `__pycache__` beside the module, or where that is read-only in the user's cache folder.
    """
    dispatcher: Any = numba.njit(nogil=True)(function)
    dispatcher._cache = _Kept(function)
    return dispatcher


class _Kept(FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function, with a file for each variant."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        module = Path(function.__code__.co_filename)
        self._cache_file = FileOfVariant(self._cache_path, self._impl.filename_base, module)


class FileOfVariant(IndexDataCacheFile):  # type: ignore[misc]
    """Keeps what was compiled for a key (types, processor, bytecode) in a file that no other key or source shares."""

    def __init__(self, folder: str, function: str, module: Path) -> None:
        super().__init__(folder, function, None)
        self._function, self._sources = function, sources_digest(module)

    def flush(self) -> None:
        """Nothing to forget: other sources have other files."""

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
        """A file that takes its name when all of it is on the disk: a crash of the machine leaves no torn one."""
        with super()._open_for_write(path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def _name(self, key: object) -> str:
        made_from = f"{numba.__version__} {self._sources} {key}"
        return f"{self._function}.{sha256(made_from.encode()).hexdigest()[:32]}.nbc"


@cache
def sources_digest(module: Path) -> str:
    """Digest of a module's file and of all files of emseg that it imports, itself or through others, as they are."""
    files, left = {module}, [module]
    while left:
        new = _imported(left.pop()) - files
        files |= new
        left += new
    digest = sha256()
    for path in sorted(files):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def _imported(path: Path) -> set[Path]:
    """Files of the modules `emseg.…` from which a file imports names (the only form of import used in emseg)."""
    found = set[Path]()
    for module, names in _IMPORT.findall(path.read_text()):
        place = _PACKAGE.joinpath(*module.split(".")[1:])
        found |= {place / f"{name}.py" for name in _NAME.findall(names)}
        found |= {place.with_suffix(".py"), place / "__init__.py"}
    return {file for file in found if file.is_file()}
