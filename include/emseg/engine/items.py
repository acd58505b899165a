"""One item of a phase, wherever it runs: its marker, or a row that says why it failed. And who runs items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from emseg.engine.exchange import Merge, S, Split, T, exchanged_on_disk
from emseg.engine.failures import ItemFailure, failure_of
from emseg.engine.progress import Progress
from emseg.store import ItemMarker

Work = Callable[[str], ItemMarker]
"""Computes the item of a name and commits it. It may run in any process and any number of times."""

Outcome = ItemMarker | ItemFailure


class Executor(Protocol):
    """Runs work on items, in any order and on any machines; an item's error comes back as an `ItemFailure`."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item."""
        ...


class StageExecutor(Executor, Protocol):
    """An executor that also exchanges tables: what a stage is run by."""

    def exchanged(
        self, split: Split[S], sources: Sequence[S], merge: Merge[T], partitions: int, progress: Progress
    ) -> Iterator[T | ItemFailure]:
        """What `merge` makes of each of the partitions 0 to `partitions` - 1, in any order.

        Where a source fails no partition is merged, and its failure comes one or more times instead. `progress` counts
        sources and partitions. See `emseg.engine.exchange`.
        """
        ...


class InProcess:
    """Runs the items one after the other in this process: for tests, the command line, and phases of one item."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item, in order."""
        for done, item in enumerate(items, 1):
            yield attempt_item(work, item)
            progress.reached(done)

    def exchanged(
        self, split: Split[S], sources: Sequence[S], merge: Merge[T], partitions: int, progress: Progress
    ) -> Iterator[T | ItemFailure]:
        """What `merge` makes of each partition, in order; one of them is in memory at a time."""
        return exchanged_on_disk(split, sources, merge, partitions, progress)


def attempt_item(work: Work, item: str) -> Outcome:
    """Run one item where it is; any error of it becomes an `ItemFailure`."""
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001 - the border to steps written by others: any of their errors fails this item only
        return failure_of(item, error)
