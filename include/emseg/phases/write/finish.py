"""The end of phase `write`: counted blocks and mapping in; mappings, indices and extents in DVID out.

It runs once, under a lease, when every brick is written and read back. Executors post the indices, each those of some
bodies (`finish_bodies.py`); then the driver posts mappings, largest label and extents. All of it is read back and
compared. It commits nothing: `publish` does that after the gate.

A retry does all of it again: every post leaves the same state. Memory of the driver: 16 bytes for each supervoxel of a
body of several, because DVID tells all mappings at once (40 while they are read); one partition's mapping at a time.
Over inherited labels the same for those of the ancestor, 16 bytes a body of it, and 16 a supervoxel with a substitute
id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Ids
from emseg.dvid import LabelContents, MappingPair
from emseg.engine.failures import ItemFailure, error_of
from emseg.engine.items import StageExecutor
from emseg.engine.progress import Progress
from emseg.engine.run import Scalars
from emseg.phases.labelmaps import branch_name, inherited, segmentation, segmentation_uuid
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import CHANGED, POSTED, SUBSTITUTES
from emseg.phases.write.branch import released_meanwhile
from emseg.phases.write.finish_bodies import (
    COUNTS,
    NAME,
    FinishBodies,
    FinishedBodies,
    SplitCounts,
    inherited_names,
)
from emseg.phases.write.only_writer import only_writer
from emseg.phases.write.portions import groups_of, partitions_for
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.stitch import BodyMapping
from emseg.store import ItemMarker, sums


@dataclass(frozen=True)
class FinishLabelmap:
    """What is done when all bricks are written: mappings, indices, extents, and the check of all three."""

    run: RunContext[DvidServices]
    executor: StageExecutor

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Complete the labelmap. Safe to repeat: each call leaves the same state."""
        labelmap = segmentation(self.run)
        with only_writer(self.run) as lease, released_meanwhile(self.run):
            lease.renew()
            with lease.kept():
                finished = self._bodies(markers, only_compares=False)
            contents = self._contents(finished)
            contents.post(labelmap, lease.renew)
            with lease.kept():
                contents.verify(labelmap)
        return self._figures(finished)

    def compare(self, markers: Sequence[ItemMarker]) -> Scalars:
        """The same figures where the labelmap is complete; IntegrityError names what differs, and nothing is posted."""
        finished = self._bodies(markers, only_compares=True)
        self._contents(finished).verify(segmentation(self.run))
        return self._figures(finished)

    def verify(self) -> None:
        """Compare what DVID holds now with what the finished phase left there; IntegrityError names what differs."""
        self.compare(self.run.folder(NAME).manifest())

    def _bodies(self, markers: Sequence[ItemMarker], only_compares: bool) -> list[FinishedBodies]:
        """One row a partition; the error of those that failed."""
        groups, partitions = list(groups_of(markers, COUNTS)), partitions_for(sum(sums(markers, COUNTS).values()))
        split = SplitCounts(self.run, self._substitutes(markers), partitions)
        progress = Progress(f"{NAME}: indices", len(groups) + partitions)
        merge = FinishBodies(self.run, only_compares)
        outcomes = list(self.executor.exchanged(split, groups, merge, partitions, progress))
        failures = {each.item: each for each in outcomes if isinstance(each, ItemFailure)}
        if failures:
            raise error_of("finishing indices", list(failures.values()), len(groups) + partitions)
        return [each for each in outcomes if isinstance(each, FinishedBodies)]

    def _substitutes(self, markers: Sequence[ItemMarker]) -> SubstituteIds:
        renamed = (marker for marker in markers if marker.statistics["renamed"])
        return SubstituteIds.joined(SUBSTITUTES.read_as(SubstituteIds, self.run.folder(NAME), renamed))

    def _contents(self, finished: Sequence[FinishedBodies]) -> LabelContents:
        ancestor = inherited(self.run)
        return LabelContents(
            ancestor=ancestor,
            names=inherited_names(ancestor),
            parts=lambda: self._parts(finished),
            bodies=sum(each.indexed for each in finished),
            changed=self._changed(finished),
            max_label=max(each.max_label for each in finished),
            bounds=self.run.grid.bounds,
        )

    def _parts(self, finished: Sequence[FinishedBodies]) -> Iterator[MappingPair]:
        """What the executors left for the one writer: one partition is in memory at a time."""
        folder = self.run.folder(NAME)
        for each in finished:
            mapping = BodyMapping.from_arrow(POSTED.read_alone(folder, each.posted), each.posted.key)
            yield mapping.supervoxels, mapping.bodies

    def _changed(self, finished: Sequence[FinishedBodies]) -> Ids:
        folder = self.run.folder(NAME)
        tables = (CHANGED.read_alone(folder, each.changed) for each in finished)
        return np.unique(np.concatenate([np.empty(0, np.uint64), *(table["body"].to_numpy() for table in tables)]))

    def _figures(self, finished: Sequence[FinishedBodies]) -> Scalars:
        return {
            "uuid": segmentation_uuid(self.run),
            "instance": self.run.spec.output.instance,
            "branch": branch_name(self.run),
            "bodies": sum(each.bodies for each in finished),
            "supervoxels": sum(each.supervoxels for each in finished),
            "voxels": sum(each.voxels for each in finished),
        }
