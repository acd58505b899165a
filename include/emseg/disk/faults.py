"""What the operating system's errors about files mean: which path, what was needed, what is free, and what to do.

Example: a disk with 3 MB left refuses 10 MB. The error names the path, 10 MB and 3 MB, and it is permanent: the same
write fails again until somebody frees space.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emseg.errors import NO_SPACE, EmsegError, NoRoomError, PermanentError, TransientError

_NOT_OURS = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
_NO_SUCH_PLACE = {errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EBUSY}


def disk_fault(doing: str, path: Path, error: OSError, need_bytes: int | None = None) -> EmsegError:
    """The error of emseg for an OSError on `path`; `need_bytes` is the size of what was to be written, if known.

    NoRoomError for a full disk, PermanentError for a place that cannot be written, TransientError for all else.
    """
    found = error.strerror or type(error).__name__
    if error.errno in NO_SPACE:
        need = "" if need_bytes is None else f"; needed: {_size(need_bytes)}"
        remedy = "Free space on that disk or raise the limit, or name another disk; then run again"
        return NoRoomError(doing, str(path), f"{NO_SPACE[error.errno]}{need}; free on it: {_free(path)}", remedy)
    if isinstance(error, _NOT_OURS) or error.errno in _NO_SUCH_PLACE:
        remedy = "Name a place where this user may write, with nothing else in the way"
        return PermanentError(doing, str(path), found, remedy)
    return TransientError(doing, str(path), found, "Try again; if it stays, check the disk")


@contextmanager
def telling_faults(doing: str, path: Path, need_bytes: int | None = None) -> Iterator[None]:
    """Raise what `disk_fault` says in place of an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise disk_fault(doing, path, error, need_bytes) from error


def _free(path: Path) -> str:
    folder = next(each for each in (path, *path.absolute().parents) if each.is_dir())
    return _size(shutil.disk_usage(folder).free)


def _size(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count / 1e6:.1f} MB"
