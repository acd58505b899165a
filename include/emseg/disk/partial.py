"""Files under a temporary name: what a killed writer leaves of one is removed by the next writer.

A writer holds a lock on its file. A file that nobody has locked was left by a writer that is gone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def partial_file(folder: Path, prefix: str, mode: int = 0o666) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file in `folder`, open for writing, and its path `PREFIX` + random; it is gone when the block ends.

    `mode` is less the umask. OSError where it cannot be made.
    """
    descriptor, path = _created(folder, prefix, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def partial_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent`, as `partial_file`; it is gone when the block ends, with all that it then holds."""
    path = parent / f"{prefix}{uuid4().hex}"
    lock = _locked_folder(path)
    try:
        yield path
    finally:
        os.close(lock)
        shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove the files and folders `PREFIX...` in `folder` whose writers are gone."""
    if not os.access(folder, os.R_OK):
        return
    for path in [each for each in folder.iterdir() if each.name.startswith(prefix)]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # it is gone already, or another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        except OSError:  # its writer is alive, or it is another user's
            continue
        finally:
            os.close(descriptor)


def _created(folder: Path, prefix: str, mode: int) -> tuple[int, Path]:
    """A new file that this process has locked; made anew where somebody removed it before it was locked."""
    while True:
        path = folder / f"{prefix}{uuid4().hex}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)


def _locked_folder(path: Path) -> int:
    """Make a folder and lock it, as `_created`; returns the descriptor that holds the lock."""
    while True:
        path.mkdir(exist_ok=True)
        lock = os.open(path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_dir():
            return lock
        os.close(lock)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
