"""Replacing a file or a folder in one step: a reader finds the old one or the new one, also after a kill or a crash.

What is new is written beside the old under a name `.partial-...`, brought to the disk, and renamed. If anything fails
before the rename, the old one stays as it was.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from emseg.disk.faults import telling_faults
from emseg.disk.partial import partial_file, partial_folder, remove_leftovers

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def write_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Make `data` the contents of `path`, in one step; folders that are missing are made.

    A file that is replaced hands its mode on; a new one gets `mode` less the umask. A link stays, and what it leads to
    is replaced. A device or a pipe is written as it is. PermanentError, with path, needed and free bytes, for a full
    disk and for a place that cannot be written.
    """
    target = Path(os.path.realpath(path))
    with telling_faults("writing a file", path, len(data)):
        if target.exists() and not (target.is_file() or target.is_dir()):
            target.write_bytes(data)
            return
        with partial_file(target.parent, _prepared(target), mode) as (file, partial):
            file.write(data)
            file.flush()
            if target.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            os.fsync(file.fileno())
            partial.replace(target)
        _sync(target.parent)


@contextmanager
def replacing_folder(folder: Path, need_bytes: int | None = None) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `folder`, and of all that is in it, when the block ends well.

    Errors as in `write_whole`; `need_bytes` is what will be written, if known.
    """
    target = Path(os.path.realpath(folder))
    with telling_faults("writing a folder", folder, need_bytes):
        with partial_folder(target.parent, _prepared(target)) as partial:
            yield partial
            for at, _, names in os.walk(partial):
                for each in (*(Path(at, name) for name in names), Path(at)):
                    _sync(each)
            if target.exists():
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
                _exchange(partial, target)  # the old one is then the partial one, and is removed
            else:
                partial.rename(target)
        _sync(target.parent)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepared(target: Path) -> str:
    """The beginning of the temporary names for `target`; what killed writers left under it is removed."""
    prefix = f".partial-{sha256(os.fsencode(target.name)).hexdigest()[:12]}-"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # below /proc, for example
        raise NotADirectoryError(errno.ENOTDIR, "no folder can be made there", str(target.parent)) from error
    remove_leftovers(target.parent, prefix)
    return prefix


def _exchange(one: Path, other: Path) -> None:
    """Give each of two folders the name of the other, in one step where the file system can (NFS cannot)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code not in {errno.EINVAL, errno.ENOSYS}:
        raise OSError(code, os.strerror(code), str(other))
    old = other.with_name(f"{other.name}.old-{one.name[-8:]}")  # found by a person, should this process be killed here
    other.rename(old)
    one.rename(other)
    old.rename(one)
