"""Small things done with files on this computer: locks between processes, private files, the end of a log."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emseg.disk import write_whole


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; another process waits, and a killed holder's lock is gone with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, readable by this user only (mode 0600 from the first byte on)."""
    write_whole(path, text.encode(), 0o600)


def tail(path: Path, lines: int = 15) -> str:
    """The last `lines` lines of a log, for an error message; says so when there is none."""
    if not path.is_file():
        return f"no log at {path}"
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 20_000))
        text = stream.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:]) or f"{path} is empty"
