"""The one global step of stitching: evidence of all subvolumes in, bodies out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.config.edits import EditKind, Edits
from emseg.phases.match.artefacts import CONTACTS, SUPERVOXELS, VOTES
from emseg.phases.resolve.artefacts import LEDGER, MAPPING
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import quarantined_cells
from emseg.phases.services import Services
from emseg.stitch import Contacts, Evidence, Ids, PairConstraints, Supervoxels, Votes, resolve
from emseg.store import ItemMarker

NAME = "resolve"


@dataclass(frozen=True)
class ResolveBodies:
    """Resolves all votes of a run."""

    run: RunContext[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Resolve all votes; artefacts `mapping` and `ledger`."""
        spec, folder = self.run.spec, self.run.folder(NAME)
        pairs, dropped = pair_constraints_of(spec.edits)
        resolution = resolve(self._evidence(), spec.stitching, spec.volume.voxel_size_nm, pairs, dropped)
        artefacts = [
            MAPPING.write(folder, item, resolution.mapping.to_arrow()),
            LEDGER.write(folder, item, resolution.ledger),
        ]
        return folder.commit_item(item, artefacts, resolution.counts)

    def _evidence(self) -> Evidence:
        matched = self.run.folder("match")
        markers = matched.manifest()
        return Evidence(
            Votes.joined(VOTES.read_as(Votes, matched, markers)),
            Supervoxels.joined(SUPERVOXELS.read_as(Supervoxels, matched, markers)),
            Contacts.joined(CONTACTS.read_as(Contacts, matched, markers)),
            quarantined_cells(self.run, self.run.folder("segment").manifest()),
        )


def pair_constraints_of(edits: Edits) -> tuple[PairConstraints, Ids]:
    """What people said, as pairs of supervoxels: must-link and cannot-link, and votes that they took back."""
    pairs = {
        kind: np.array([(e.first, e.second) for e in edits.edits if e.kind is kind], np.uint64).reshape(-1, 2)
        for kind in EditKind
    }
    return PairConstraints(pairs[EditKind.JOIN], pairs[EditKind.PART]), pairs[EditKind.DROP]
