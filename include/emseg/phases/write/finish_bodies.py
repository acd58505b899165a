"""Indices from executors: the counted rows of all bricks go to the partition of their body, and are posted there.

`SplitCounts` reads the tables of a group of bricks, `FinishBodies` posts the indices of a partition, reads them back,
and leaves the mapping of its supervoxels for the one writer. Posting twice changes nothing, so any of it may be
repeated, also by an executor whose driver has lost its lease meanwhile. With `only_compares` nothing is posted.

Memory of a task: about 300 bytes a row, of one body or of `PARTITION_ROWS`, whichever are more. Over
inherited labels in each process of an executor, beside that: 8 bytes a body of the ancestor, 16 for each of its mapped
supervoxels and for each new supervoxel with a substitute id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa

from emseg.array_types import Ids
from emseg.dvid import BodyContents, IndexTable, InheritedNames, Labelmap
from emseg.engine.exchange import Piece
from emseg.phases.artefact import TableArtefact
from emseg.phases.labelmaps import inherited, segmentation
from emseg.phases.resolve.artefacts import read_mapping
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import CHANGED, NEW_COUNTS, POSTED, REPLACED_COUNTS, counted_rows
from emseg.phases.write.branch import released_meanwhile
from emseg.phases.write.bricks import brick_grid, brick_number
from emseg.phases.write.sent_rows import NEW, REPLACED, SentRows
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.store import Artefact, ItemMarker

NAME = "write"
COUNTS = ("rows", "rows_replaced")
"""What a brick counts of the rows that it sends; claims are fewer."""


@dataclass(frozen=True)
class FinishedBodies:
    """What was done for the bodies of a partition: counts of the new ones, and of all that have an index now."""

    bodies: int
    supervoxels: int
    voxels: int
    indexed: int
    max_label: int
    posted: Artefact
    changed: Artefact


@dataclass(frozen=True)
class SplitCounts:
    """Sends the rows of a group of bricks to the partitions of their bodies.

    `substitutes` are all of the run: a body may be named after a supervoxel of any subvolume.
    """

    run: RunContext[DvidServices]
    substitutes: SubstituteIds
    partitions: int

    def __call__(self, bricks: Sequence[ItemMarker]) -> Iterator[Piece]:
        """The rows of some bricks."""
        names = inherited_names(inherited(self.run))
        new, replaced = self._new(bricks), self._rows(bricks, REPLACED_COUNTS, "rows_replaced")
        replaced = replace(replaced, body=names.bodies_of(replaced.supervoxel))
        claims = names.claims(np.union1d(new.supervoxel, new.body))
        sent = [SentRows.counted(NEW, new), SentRows.counted(REPLACED, replaced), SentRows.claimed(claims)]
        yield from SentRows.joined(sent).pieces(self.partitions)

    def _new(self, bricks: Sequence[ItemMarker]) -> IndexTable:
        """Index rows of the new supervoxels and their bodies, with the ids that both have in DVID."""
        rows = self._rows(bricks, NEW_COUNTS, "rows")
        mapping = read_mapping(self.run, self._cells(bricks))
        body = mapping.body_of(self.substitutes.reverse.applied_to(rows.supervoxel))
        return replace(rows, body=self.substitutes.applied_to(body))

    def _rows(self, bricks: Sequence[ItemMarker], artefact: TableArtefact, count: str) -> IndexTable:
        """Counted rows of some bricks, every supervoxel as its own body. An empty table costs no request."""
        some = [brick for brick in bricks if brick.statistics[count]]
        return counted_rows(artefact.read_all(self.run.folder(NAME), some))

    def _cells(self, bricks: Sequence[ItemMarker]) -> set[int]:
        grid = self.run.grid
        of_bricks = brick_grid(grid.bounds, self.run.spec.output.max_scale)
        cores = (of_bricks.subvolume(brick_number(brick.item)).core for brick in bricks)
        return {cell for core in cores for cell in grid.cells_touching(core)}


@dataclass(frozen=True)
class FinishBodies:
    """Posts the indices of the bodies of a partition and reads them back; compares them where it `only_compares`."""

    run: RunContext[DvidServices]
    only_compares: bool

    def __call__(self, partition: int, pieces: Iterator[bytes]) -> FinishedBodies:
        """Finish one partition. TransientError where a twin of this run has released the result meanwhile."""
        rows = SentRows.received(pieces)
        new, labelmap = rows.of(NEW), segmentation(self.run)
        contents = self._contents(rows, new)
        if not self.only_compares:
            with released_meanwhile(self.run):
                contents.post(labelmap)
        contents.verify(labelmap)
        return FinishedBodies(
            bodies=len(np.unique(new.body)),
            supervoxels=len(np.unique(new.supervoxel)),
            voxels=int(new.count.sum(dtype=np.int64)),
            indexed=contents.bodies,
            max_label=contents.max_label,
            posted=self._left(partition, POSTED, contents.mapped),
            changed=self._left(partition, CHANGED, [contents.changed]),
        )

    def _contents(self, rows: SentRows, new: IndexTable) -> BodyContents:
        labels = inherited_names(inherited(self.run)).labels
        return BodyContents.over(inherited(self.run), labels, new, rows.of(REPLACED), rows.claims)

    def _left(self, partition: int, artefact: TableArtefact, columns: Iterable[Ids]) -> Artefact:
        table = pa.table(list(columns), schema=artefact.schema)
        return artefact.write(self.run.folder(NAME), f"bodies-{partition:06d}", table)


@lru_cache(maxsize=1)
def inherited_names(ancestor: Labelmap) -> InheritedNames:
    """Bodies and mappings of an ancestor, read once a process: its version is locked, so they never change."""
    return InheritedNames.of(ancestor)
