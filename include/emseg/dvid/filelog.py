"""Repairing DVID's logs while the server is down. A record that a kill has torn stops the next start but one.

The log store (engine `filelog`) keeps the mutations of one instance at one version in a file `DATA-VERSION` (the UUID
of the instance's data, and that of the node) as records `uint16 type, uint32 length, payload`, little-endian. A server
that is killed, or stopped during a post of mappings, can leave a header without its payload. It starts once more and
appends after that header. The start after that fails (`slice bounds out of range`), because nothing behind the header
can be read.

Each log is cut back to its last whole record, and the bytes cut off are kept beside it as `DATA-VERSION.torn-1`.
Mutations in those bytes are lost to the server: whoever posted them must post them again.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import struct
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import BinaryIO

import psutil

from emseg.disk import disk_fault
from emseg.errors import PermanentError

_HEADER = struct.Struct("<HI")
_NAME = re.compile(r"[0-9a-f]{32}-.+")
_OURS = re.compile(r".*\.(torn-\d+|partial)")
_DOING = "repairing the logs of DVID"


@dataclass(frozen=True)
class Log:
    """One log: its whole records, the bytes that they take, and the bytes after them, which are 0 if it is whole.

    `kept` is the file that holds the bytes cut off; None where nothing was cut.
    """

    path: Path
    records: int
    whole_bytes: int
    torn_bytes: int
    kept: Path | None = None


def logs_in(folder: Path) -> tuple[Path, ...]:
    """The logs in a folder, without bytes that were cut off; none where the folder does not exist."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(f for f in files if f.is_file() and _NAME.fullmatch(f.name) and not _OURS.fullmatch(f.name))


def repair_filelogs(folder: Path, dry_run: bool = False) -> tuple[Log, ...]:
    """Cut every torn log in `folder` back to its last whole record; returns all logs. The server must be down.

    A second call changes nothing. A dry run only looks. PermanentError where the folder holds no logs, where a process
    has a torn log open, and where files cannot be written.
    """
    paths = logs_in(folder)
    if not paths:
        raise PermanentError(_DOING, f"folder {folder}", _instead(folder), _remedy(folder))
    logs = tuple(_read(path) for path in paths)
    torn = [log.path for log in logs if log.torn_bytes]
    if torn:
        _require_closed(torn)
    return logs if dry_run else tuple(_cut(log) if log.torn_bytes else log for log in logs)


def whole_records(stream: BinaryIO, size: int) -> tuple[int, int]:
    """Number of whole records from the start of a log of `size` bytes, and where the last of them ends.

    Worked example: `01 00 02 00 00 00 AA BB 01 00` is one record of 2 payload bytes that ends at 8, and a torn header.
    """
    records = end = 0
    while end + _HEADER.size <= size:
        stream.seek(end)
        _, length = _HEADER.unpack(stream.read(_HEADER.size))
        if end + _HEADER.size + length > size:
            break
        end += _HEADER.size + length
        records += 1
    return records, end


def _read(path: Path) -> Log:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            records, end = whole_records(stream, size)
    except OSError as error:
        raise _failed(path, error) from error
    return Log(path, records, end, size - end)


def _cut(log: Log) -> Log:
    """Keep the torn bytes in a file, then replace the log by its whole records; a kill in between loses nothing."""
    try:
        kept = _keep_torn_bytes(log)
        _put_whole_records(log)
    except OSError as error:
        raise _failed(log.path, error) from error
    return replace(log, kept=kept)


def _keep_torn_bytes(log: Log) -> Path:
    partial = log.path.with_name(f"{log.path.name}.partial")
    with log.path.open("rb") as stream, partial.open("wb") as sink:
        stream.seek(log.whole_bytes)
        shutil.copyfileobj(stream, sink)
        os.fsync(sink.fileno())
    names = (log.path.with_name(f"{log.path.name}.torn-{number}") for number in count(1))
    # A repair that was killed may have kept the same bytes already.
    return partial.replace(next(n for n in names if not n.exists() or filecmp.cmp(partial, n, shallow=False)))


def _put_whole_records(log: Log) -> None:
    """Owner and mode of the log are kept: the server must be able to append to it."""
    partial = log.path.with_name(f"{log.path.name}.partial")
    shutil.copy2(log.path, partial)
    owner = log.path.stat()
    os.chown(partial, owner.st_uid, owner.st_gid)
    with partial.open("r+b") as stream:
        stream.truncate(log.whole_bytes)
        os.fsync(stream.fileno())
    partial.replace(log.path)


def _require_closed(paths: Collection[Path]) -> None:
    """Refuse logs that a process has open: it may be writing the very record that looks torn."""
    names = {str(path.resolve()) for path in paths}
    for process in psutil.process_iter():
        try:
            opened = names.intersection(file.path for file in process.open_files())
        except (psutil.Error, OSError):  # it has ended, or belongs to another user
            continue
        if opened:
            raise PermanentError(
                _DOING, min(opened), f"process {process.pid} has it open", "Stop the server, then repair its logs"
            )


def _instead(folder: Path) -> str:
    if not folder.is_dir():
        return "there is no such folder"
    return "it holds no log of DVID, which is a file named by two UUIDs, DATA-VERSION"


def _remedy(folder: Path) -> str:
    """Names the folder that was perhaps meant: one of those inside that hold logs."""
    inside = sorted(each for each in folder.iterdir() if logs_in(each)) if folder.is_dir() else []
    if inside:
        return f"Name the folder of the logs: {' or '.join(map(str, inside))}"
    return 'Name the `path` of the store with `engine = "filelog"` in the server\'s configuration'


def _failed(path: Path, error: OSError) -> PermanentError:
    found = disk_fault(_DOING, path, error).found
    return PermanentError(_DOING, str(path), found, "Run this as the server's user, with free disk space")
