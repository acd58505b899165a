"""An object store in memory, for tests that make thousands of them: what `ObjectStore` promises, and nothing faster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import md5, sha256
from threading import RLock

from emseg.store import ObjectMissingError, StoredObject

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryStore:
    """An `ObjectStore` that begins with some objects."""

    def __init__(self, objects: Mapping[str, bytes] | None = None) -> None:
        self.objects = dict(objects or {})
        self._lock = RLock()

    def put(self, key: str, data: bytes, content_type: str = "") -> None:  # noqa: ARG002
        with self._lock:
            self.objects[key] = data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with self._lock:
            return self.objects.setdefault(key, data) == data

    def get(self, key: str) -> bytes:
        return self.get_with_version(key)[0]

    def get_part(self, key: str, start: int, size: int) -> bytes:
        return self.get(key)[start : start + size]

    def get_with_version(self, key: str) -> tuple[bytes, str]:
        with self._lock:
            if key not in self.objects:
                raise ObjectMissingError.at(key)
            return self.objects[key], sha256(self.objects[key]).hexdigest()

    def replace_if(self, key: str, data: bytes, version: str) -> bool:
        with self._lock:
            if key not in self.objects or sha256(self.objects[key]).hexdigest() != version:
                return False
            self.objects[key] = data
            return True

    def exists(self, key: str) -> bool:
        return key in self.objects

    def keys_under(self, prefix: str) -> Iterator[str]:
        with self._lock:
            found = sorted(key for key in self.objects if not prefix or key.startswith(f"{prefix.rstrip('/')}/"))
        yield from found

    def objects_under(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        for key in (key for key in self.keys_under(prefix) if key > after):
            data = self.objects[key]
            yield StoredObject(key, len(data), _BEGINNING, md5(data, usedforsecurity=False).hexdigest())

    def delete(self, key: str) -> None:
        with self._lock:
            self.objects.pop(key, None)

    def address(self, key: str) -> str:
        return f"memory://{key}"
