"""Objects as files below one folder: for runs and tests in one computer without an S3 server.

An object is written under a temporary name in folder `.partial`, brought to the disk, and linked or renamed. So a kill
leaves no torn object; what it leaves in `.partial` is removed when a store is next opened there.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from emseg.disk import disk_fault, partial_file, remove_leftovers
from emseg.store.objects import ObjectMissingError, StoredObject, checked_folder, checked_key


class FolderStore:
    """An `ObjectStore` on folder `root`; names that begin with a dot are its own (temporary files, the lock)."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        with _os_errors("opening a folder as object store", self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            self._partials = self._root / ".partial"
            if self._partials.is_dir():
                remove_leftovers(self._partials, ".")

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

    def get_part(self, key: str, start: int, size: int) -> bytes:
        """Bytes `start` to `start + size`, as far as there are any."""
        path = self._path(key)
        with _os_errors("reading an object", path), path.open("rb") as file:
            file.seek(start)
            return file.read(size)

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

    def objects_under(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """The same with sizes and times; what is deleted meanwhile is left out."""
        for key in (key for key in self.keys_under(prefix) if key > after):
            with suppress(FileNotFoundError):
                found = (self._root / key).stat()
                yield StoredObject(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def versions_under(self, prefix: str) -> Iterator[tuple[StoredObject, str]]:
        """The same with versions; it reads each file."""
        for each in self.objects_under(prefix):
            with suppress(ObjectMissingError):
                data, version = self.get_with_version(each.key)
                yield replace(each, size=len(data)), version

    def folders_under(self, prefix: str) -> Iterator[str]:
        """Names of the folders in folder `prefix`, sorted; also of those that hold nothing any more."""
        folder = self._root / checked_folder(prefix)
        with _os_errors("listing folders", folder), suppress(FileNotFoundError):
            yield from sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")

    def drop_unfinished(self, begun_before: datetime, dry_run: bool) -> int:  # noqa: ARG002
        """Nothing is left to do: what killed writers left has gone when this store was opened."""
        return 0

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
        """A temporary file of `data`, and the key's path; the temporary one is gone afterwards."""
        path = self._path(key)
        with _os_errors("writing an object", path, len(data)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._partials.mkdir(exist_ok=True)
            with partial_file(self._partials, ".") as (file, written):
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                yield written, path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Between all processes and threads: one changes or removes existing objects at a time."""
        with (self._root / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _os_errors(doing: str, path: Path, need_bytes: int | None = None) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ObjectMissingError.at(str(path)) from None
    except OSError as error:
        raise disk_fault(doing, path, error, need_bytes) from error
