"""The end of an ingestion of labels: executors post the indices, each those of some labels.

Counted rows of all bricks go to the partition of their label, and so do the labels that have an index already: those
without a row are of an earlier ingestion, and are removed. Memory: as at the end of phase `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from emseg.config.ingestion import IngestSpec
from emseg.dvid import Claims
from emseg.engine.exchange import Piece
from emseg.engine.failures import ItemFailure, error_of
from emseg.engine.items import StageExecutor
from emseg.engine.progress import Progress
from emseg.geometry import MAX_LABEL
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import NEW_COUNTS, counted_rows
from emseg.phases.write.portions import groups_of, partitions_for
from emseg.phases.write.sent_rows import NEW, SentRows
from emseg.store import ItemMarker, Markers, sums
from emseg.tasks.ingestion.work import ROWS, label_target, phase_folder

Source = Markers | tuple[int, int]
"""Bricks, or those labels that have an index, from the first to before the second."""


@dataclass(frozen=True)
class SplitLabels:
    """Sends rows, and labels that have an index, to the partitions of their labels."""

    spec: IngestSpec
    open_services: Callable[[], DvidServices]
    partitions: int

    def __call__(self, source: Source) -> Iterator[Piece]:
        """The rows of some bricks, or labels as claims on themselves."""
        services = self.open_services()
        if isinstance(source, Markers):
            table = NEW_COUNTS.read_all(phase_folder(self.spec, services, ""), source)
            yield from SentRows.counted(NEW, counted_rows(table)).pieces(self.partitions)
            return
        start, stop = source
        for page in label_target(self.spec, services.server).listed(start):
            labels = page[page < stop]
            yield from SentRows.claimed(Claims(labels, labels)).pieces(self.partitions)
            if len(labels) < len(page):
                return


@dataclass(frozen=True)
class PostLabels:
    """Posts the indices of a partition, and removes what an earlier ingestion left there."""

    spec: IngestSpec
    open_services: Callable[[], DvidServices]

    def __call__(self, _: int, pieces: Iterator[bytes]) -> int:
        """The number of labels."""
        rows = SentRows.received(pieces)
        target = label_target(self.spec, self.open_services().server)
        return target.post_labels(rows.of(NEW), np.unique(rows.claims.body))


def post_labels(
    spec: IngestSpec,
    open_services: Callable[[], DvidServices],
    markers: Sequence[ItemMarker],
    executor: StageExecutor,
) -> int:
    """Post the indices of all labels; returns their number. PermanentError where there are none."""
    target, rows = label_target(spec, open_services().server), sums(markers, [ROWS])[ROWS]
    target.require_rows(rows)
    pages = pairwise([*(int(page.min()) for page in target.listed()), MAX_LABEL])
    sources: list[Source] = [*pages, *groups_of(markers, [ROWS])]
    partitions = partitions_for(rows)
    split, merge = SplitLabels(spec, open_services, partitions), PostLabels(spec, open_services)
    progress = Progress("ingest: indices", len(sources) + partitions)
    outcomes = list(executor.exchanged(split, sources, merge, partitions, progress))
    failures = {each.item: each for each in outcomes if isinstance(each, ItemFailure)}
    if failures:
        raise error_of("posting indices", list(failures.values()), len(sources) + partitions)
    return sum(each for each in outcomes if isinstance(each, int))
