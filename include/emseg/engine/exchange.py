"""Rows of many tables brought together: those that belong to one partition are merged in one place.

Example: the voxels of a body were counted in a thousand bricks. A source is a group of bricks: `split` reads their
tables and says which partition the rows of each body go to. `merge` gets all rows of the bodies of a partition.

What goes is tables, encoded by whoever splits them. Voxels never go this way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from emseg.disk import scratch_folder, telling_faults
from emseg.engine.failures import ItemFailure, failure_of
from emseg.engine.progress import Progress

S = TypeVar("S")
T = TypeVar("T")

Piece = tuple[int, bytes]
"""The number of a partition, and rows for it."""

Split = Callable[[S], Iterable[Piece]]
"""Pieces of a source. It may run several times and in any process, so it leaves nothing behind."""

Merge = Callable[[int, Iterator[bytes]], T]
"""A small row about the partition of a number, made from all its pieces, which come in any order (there may be none).

It takes all pieces before it does anything that lasts: taking them fails where a source could not be split. It may run
several times and in any process.
"""

Sent = tuple[int, bytes | ItemFailure]
_SIZE = struct.Struct("<Q")


class _UnsplitSourceError(Exception):
    """A source could not be split, so that no partition is whole."""

    def __init__(self, failure: ItemFailure) -> None:
        super().__init__(failure)
        self.failure = failure


def attempt_split(split: Split[S], partitions: int, numbered: tuple[int, S]) -> Iterator[Sent]:
    """The pieces of a source with its number; an error goes to every partition, so that none is merged without it."""
    number, source = numbered
    try:
        for partition, data in split(source):
            if not 0 <= partition < partitions:
                raise IndexError(f"rows for partition {partition} of {partitions}")
            yield partition, data
    except Exception as error:  # noqa: BLE001 - the border to the work of a phase: any of its errors is told
        failure = failure_of(f"source {number}", error)
        yield from ((partition, failure) for partition in range(partitions))


def attempt_merge(merge: Merge[T], partition: int, sent: Iterable[Sent]) -> Iterator[T | ItemFailure]:
    """One row: what `merge` makes of a partition, or why it failed."""
    try:
        yield merge(partition, _pieces(sent))
    except _UnsplitSourceError as unsplit:
        yield unsplit.failure
    except Exception as error:  # noqa: BLE001 - as above
        yield failure_of(f"partition {partition}", error)


def exchanged_on_disk(
    split: Split[S], sources: Sequence[S], merge: Merge[T], partitions: int, progress: Progress
) -> Iterator[T | ItemFailure]:
    """An exchange in this process: pieces wait in files, so one source or one partition is in memory at a time."""
    with scratch_folder() as folder:
        for done, numbered in enumerate(enumerate(sources), 1):
            for partition, data in attempt_split(split, partitions, numbered):
                if isinstance(data, ItemFailure):
                    yield data
                    return
                _append(folder / str(partition), data)
            progress.reached(done)
        for partition in range(partitions):
            yield from attempt_merge(merge, partition, ((partition, data) for data in _kept(folder / str(partition))))
            progress.reached(len(sources) + partition + 1)


def _pieces(sent: Iterable[Sent]) -> Iterator[bytes]:
    for _, data in sent:
        if isinstance(data, ItemFailure):
            raise _UnsplitSourceError(data)
        yield data


def _append(path: Path, data: bytes) -> None:
    with telling_faults("keeping rows until they are merged", path, len(data)), path.open("ab") as file:
        file.write(_SIZE.pack(len(data)))
        file.write(data)


def _kept(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while head := file.read(_SIZE.size):
            yield file.read(*_SIZE.unpack(head))
