"""An object store on a folder that counts its requests over all processes, and answers as late as a remote one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emseg.store import FolderStore

_COUNTED = ("put", "put_if_absent", "get", "get_part", "get_with_version", "replace_if", "exists", "delete")
PAGE = 1000
"""Keys that an S3 server lists in one answer."""


class SlowStore(FolderStore):
    """A `FolderStore` whose every request takes `delay_s` more; `counts` is a folder for the counts."""

    def __init__(self, root: Path, counts: Path, delay_s: float = 0.0) -> None:
        super().__init__(root)
        counts.mkdir(parents=True, exist_ok=True)
        self._file = os.open(counts / str(os.getpid()), os.O_RDWR | os.O_CREAT)
        self._delay_s, self._lock = delay_s, threading.Lock()
        self._requests = int.from_bytes(os.pread(self._file, 8, 0), "little")

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in _COUNTED:
            return found

        def request(*args: Any, **kwargs: Any) -> Any:
            self._count(1)
            return found(*args, **kwargs)

        return request

    def keys_under(self, prefix: str) -> Iterator[str]:
        for number, key in enumerate(super().keys_under(prefix)):
            if number % PAGE == 0:
                self._count(1)
            yield key

    def _count(self, requests: int) -> None:
        with self._lock:
            self._requests += requests
            os.pwrite(self._file, self._requests.to_bytes(8, "little"), 0)
        if self._delay_s:
            time.sleep(self._delay_s)


def requests_so_far(counts: Path) -> int:
    """Requests of all processes."""
    return sum(int.from_bytes(file.read_bytes(), "little") for file in counts.iterdir())
