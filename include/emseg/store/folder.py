"""Objects as files below one folder: for runs and tests in one computer without an S3 server.

Whole-object writes are atomic (temporary file, then link or rename), so processes that are killed leave no torn object.
Nothing is flushed to the disk by force: a power cut is not survived.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from emseg.errors import EmsegError, NoRoomError, PermanentError, TransientError
from emseg.store.objects import ObjectMissingError, checked_folder, checked_key


class FolderStore:
    """An `ObjectStore` on folder `root`; names that begin with a dot are its own (temporary files, the lock)."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        with _os_errors("opening a folder as object store", self._root):
            self._root.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:  # noqa: ARG002
        """Store `data`; a folder keeps no content type."""
        with self._written(key, data) as (written, path), self._locked():
            written.replace(path)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key is taken; True where the key then holds exactly `data`."""
        with self._written(key, data) as (written, path):
            try:
                path.hardlink_to(written)
            except FileExistsError:
                return path.is_file() and path.read_bytes() == data
            return True

    def get(self, key: str) -> bytes:
        """The object; `ObjectMissingError` where there is none."""
        path = self._path(key)
        with _os_errors("reading an object", path):
            return path.read_bytes()

    def get_with_version(self, key: str) -> tuple[bytes, str]:
        """The object and its SHA-256, which is its version."""
        data = self.get(key)
        return data, sha256(data).hexdigest()

    def replace_if(self, key: str, data: bytes, version: str) -> bool:
        """Store `data` if the object's SHA-256 is still `version`."""
        with self._written(key, data) as (written, path), self._locked():
            if not path.is_file() or sha256(path.read_bytes()).hexdigest() != version:
                return False
            written.replace(path)
            return True

    def exists(self, key: str) -> bool:
        """Whether there is a file under the key."""
        return self._path(key).is_file()

    def keys_under(self, prefix: str) -> Iterator[str]:
        """Full keys of all objects in folder `prefix`, sorted."""
        folder = self._root / checked_folder(prefix)
        names = (Path(at, name) for at, _, names in os.walk(folder) for name in names if not name.startswith("."))
        yield from sorted(path.relative_to(self._root).as_posix() for path in names)

    def delete(self, key: str) -> None:
        """Remove the file, if any."""
        path = self._path(key)
        with _os_errors("deleting an object", path), self._locked():
            path.unlink(missing_ok=True)

    def address(self, key: str) -> str:
        """Path of the file."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    @contextmanager
    def _written(self, key: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """A temporary file of `data` beside the key's path, and that path; the temporary one is gone afterwards."""
        path = self._path(key)
        temporary = path.with_name(f".{uuid4().hex}")
        with _os_errors("writing an object", path, f"{len(data)} bytes to write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data)
                yield temporary, path
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Between all processes and threads: one changes or removes existing objects at a time."""
        with (self._root / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _os_errors(doing: str, path: Path, need: str = "") -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ObjectMissingError.at(str(path)) from None
    except OSError as error:
        raise NoRoomError.of(error, doing, str(path), need) or _emseg_error(doing, path, error) from error


def _emseg_error(doing: str, path: Path, error: OSError) -> EmsegError:
    found = error.strerror or type(error).__name__
    if isinstance(error, (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)):
        return PermanentError(doing, str(path), found, "Give a folder this user may write, with no file in its place")
    return TransientError(doing, str(path), found, "Try again; if it stays, check the disk")
