"""The end of phase `write`, in the driver: counted blocks and mapping in; mappings, indices and extents in DVID out.

It runs once, under a lease, when every brick is written and read back. It reads everything that it posts back and
compares it. It commits nothing: `publish` does that after the gate. Memory: about 100 bytes a supervoxel and block.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from emseg.dvid import IndexTable, LabelContents
from emseg.engine.run import Scalars
from emseg.phases.artefact import TableArtefact
from emseg.phases.labelmaps import branch_name, inherited, segmentation, segmentation_uuid
from emseg.phases.resolve.artefacts import read_mapping
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import NEW_COUNTS, REPLACED_COUNTS, SUBSTITUTES, counted_rows
from emseg.phases.write.branch import released_meanwhile
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.store import ItemMarker, Lease, join_key

NAME = "write"

LEASE_S = 120.0
"""A writer that has renewed nothing for so long is taken for dead; a post of mappings or indices takes far less."""


@dataclass(frozen=True)
class FinishLabelmap:
    """What the one writer does when all bricks are written: mappings, indices, extents, and the check of all three."""

    run: RunContext[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Complete the labelmap. Safe to repeat: each call leaves the same state."""
        labelmap = segmentation(self.run)
        new = self._new(markers)
        contents = self._contents(markers, new)
        with self._only_writer() as lease, released_meanwhile(self.run):
            contents.post(labelmap, lease.renew)
            contents.verify(labelmap)
        return self._figures(new)

    def compare(self, markers: Sequence[ItemMarker]) -> Scalars:
        """The same figures where the labelmap is complete; IntegrityError names what differs, and nothing is posted."""
        new = self._new(markers)
        self._contents(markers, new).verify(segmentation(self.run))
        return self._figures(new)

    def _figures(self, new: IndexTable) -> Scalars:
        return {
            "uuid": segmentation_uuid(self.run),
            "instance": self.run.spec.output.instance,
            "branch": branch_name(self.run),
            "bodies": len(np.unique(new.body)),
            "supervoxels": len(np.unique(new.supervoxel)),
            "voxels": int(new.count.sum(dtype=np.int64)),
        }

    def verify(self) -> None:
        """Compare what DVID holds now with what the finished phase left there; IntegrityError names what differs."""
        self.compare(self.run.folder(NAME).manifest())

    def _contents(self, markers: Sequence[ItemMarker], new: IndexTable) -> LabelContents:
        replaced = self._rows(markers, REPLACED_COUNTS)
        return LabelContents.over(inherited(self.run), new, replaced, self.run.grid.bounds)

    def _only_writer(self) -> AbstractContextManager[Lease]:
        # Two writers of mappings at once can damage the server's mapping log.
        key = join_key(self.run.spec.dataset, "leases", f"{branch_name(self.run)}.json")
        return Lease(self.run.open_services().store, key, self.run.attempt, LEASE_S, patience_s=2 * LEASE_S)

    def _new(self, markers: Sequence[ItemMarker]) -> IndexTable:
        """Index rows of the new supervoxels and their bodies, with the ids that both have in DVID."""
        rows = self._rows(markers, NEW_COUNTS)
        table = SUBSTITUTES.read_all(self.run.folder(NAME), markers)
        substitutes = SubstituteIds.joined([SubstituteIds.from_arrow(table)])
        mapping = read_mapping(self.run)
        body = substitutes.applied_to(mapping.body_of(substitutes.reverse.applied_to(rows.supervoxel)))
        return replace(rows, body=body)

    def _rows(self, markers: Sequence[ItemMarker], artefact: TableArtefact) -> IndexTable:
        """Counted rows of all bricks, every supervoxel as its own body."""
        return counted_rows(artefact.read_all(self.run.folder(NAME), markers))
