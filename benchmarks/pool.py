"""A bare pool of processes as executor of phases: what Spark is compared with."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from emseg.engine.exchange import Merge, S, Split, T, exchanged_on_disk
from emseg.engine.failures import ItemFailure
from emseg.engine.items import Outcome, Work, attempt_item
from emseg.engine.progress import Progress


class Pool:
    """Runs items in `processes` processes, which stay from wave to wave."""

    def __init__(self, processes: int = 2, chunk: int = 1) -> None:
        self._pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
        self._chunk = chunk

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item, in order."""
        chunk = self._chunk if len(items) > 100 * self._chunk else 1
        for done, outcome in enumerate(self._pool.map(partial(attempt_item, work), items, chunksize=chunk), 1):
            yield outcome
            progress.reached(done)

    def exchanged(
        self, split: Split[S], sources: Sequence[S], merge: Merge[T], partitions: int, progress: Progress
    ) -> Iterator[T | ItemFailure]:
        """What `merge` makes of each partition, in this process."""
        return exchanged_on_disk(split, sources, merge, partitions, progress)

    def each(self, call: Callable[[int], T], times: int) -> list[T]:
        """What `call` says in the processes, at least once in each of them if they are idle."""
        return list(self._pool.map(call, range(times)))

    def stop(self) -> None:
        """End the processes."""
        self._pool.shutdown()
