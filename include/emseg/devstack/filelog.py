"""Mending DVID's filelog before a start: a record torn by a kill stops the server at its next start but one.

Each file of the log store holds the mutations of one instance at one version as records `uint16 type, uint32 length,
payload`, little-endian. DVID appends after a torn record, and then cannot read past it. With the server down, this
module cuts each file back to its last whole record and keeps what was there beside it (`<name>.torn-<n>`).
"""

from __future__ import annotations

import logging
import shutil
import struct
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct("<HI")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cut:
    """One file that was cut: its path, the copy of what it was, whole records and bytes kept, bytes cut off."""

    file: Path
    copy: Path
    records: int
    kept_bytes: int
    cut_bytes: int


def repair_filelogs(folder: Path) -> tuple[Cut, ...]:
    """Cut every torn filelog in `folder` (the server must be down). Returns the cuts; none if all records are whole.

    Mappings after a cut are lost to the server: whoever posted them must post them again.
    """
    cuts = []
    for file in sorted(path for path in folder.glob("*") if path.is_file() and ".torn-" not in path.name):
        cut = _repair(file)
        if cut:
            _log.warning(
                "DVID log %s was torn: kept %d records (%d bytes), cut %d bytes, copy in %s. "
                "Post the mappings of this instance again.",
                *(cut.file, cut.records, cut.kept_bytes, cut.cut_bytes, cut.copy.name),
            )
            cuts.append(cut)
    return tuple(cuts)


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


def _repair(file: Path) -> Cut | None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        records, end = whole_records(stream, size)
    if end == size:
        return None
    copy = next(name for n in count(1) if not (name := file.with_name(f"{file.name}.torn-{n}")).exists())
    shutil.copy2(file, copy)
    with file.open("r+b") as stream:
        stream.truncate(end)
    return Cut(file, copy, records, end, size - end)
