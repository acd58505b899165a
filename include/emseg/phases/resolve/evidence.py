"""What a region of the first level knows: its candidates, sizes and contacts, read from what `match` left.

Memory: the candidates and supervoxels of 4096 subvolumes, and the tables of 64 subvolumes at a time. Votes that join
nothing are looked at and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Flags, Ids
from emseg.config.edits import EditKind, Edits
from emseg.phases.match.artefacts import CONTACTS, SUPERVOXELS, VOTES
from emseg.phases.resolve.items import regions_of
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import quarantined_cells
from emseg.phases.services import Services
from emseg.stitch import Contacts, PairConstraints, Supervoxels, Votes
from emseg.stitch.candidates import JudgedVotes, is_weak, judged
from emseg.stitch.joining import Undecided, evidence_of
from emseg.store import ItemMarker

MARGIN = 2
"""Cells around a region whose votes are read: a candidate of a neighbour is weak for what its other neighbours say."""


@dataclass(frozen=True)
class RegionOfVotes:
    """The votes of one region of the first level, and of the cells around it."""

    run: RunContext[Services]
    number: int

    def has(self, ids: Ids) -> Flags:
        """Which supervoxels are of a cell of the region."""
        return regions_of(self.run).has(ids, 0, self.number)

    def evidence(self) -> tuple[Undecided, Votes, Flags]:
        """All that is known, nothing decided; the candidates whose earlier side is in the region; which are weak."""
        candidates, weak = self._candidates()
        spec, matched, folder = self.run.spec, self._matched(margin=0), self.run.folder("match")
        all_of_it = evidence_of(
            candidates,
            weak,
            Supervoxels.joined(SUPERVOXELS.read_as(Supervoxels, folder, matched)),
            Contacts.joined(CONTACTS.read_as(Contacts, folder, matched)),
            pair_constraints_of(spec.edits)[0],
            spec.stitching.constraints.kept_apart_nm2,
            self.has,
        )
        own = self.has(candidates.first)
        return all_of_it, candidates.rows(own), weak[own]

    def own_votes(self) -> JudgedVotes:
        """The votes whose earlier side is in the region, by ids."""
        parts = list(self._judged(margin=0))
        votes = Votes.concatenated([Votes.none(), *(part.votes for part in parts)])
        refusal = np.concatenate([np.empty(0, np.int8), *(part.refusal for part in parts)])
        order = np.lexsort((votes.second, votes.first))
        return JudgedVotes(votes.rows(order), refusal[order], np.empty(0, np.uint64))

    def contacts(self) -> Iterator[Contacts]:
        """Who touches whom in each subvolume of the region."""
        return CONTACTS.read_as(Contacts, self.run.folder("match"), self._matched(margin=0))

    def _candidates(self) -> tuple[Votes, Flags]:
        """The candidates that have a side in the region, and which are weak."""
        found, disputed = [Votes.none()], [np.empty(0, np.uint64)]
        for part in self._judged(MARGIN):
            candidates = part.candidates
            found.append(candidates.rows(self.has(candidates.first) | self.has(candidates.second)))
            disputed.append(part.disputed)
        candidates = Votes.joined(found)
        return candidates, is_weak(candidates, np.unique(np.concatenate(disputed)))

    def _judged(self, margin: int) -> Iterator[JudgedVotes]:
        """The votes of one subvolume with its later neighbours after the other: each has all votes of its overlaps."""
        spec, segmented = self.run.spec, self.run.folder("segment")
        quarantined = quarantined_cells(self.run, segmented.manifest_of(self._names(margin + 1)))
        _, undone = pair_constraints_of(spec.edits)
        for votes in VOTES.read_as(Votes, self.run.folder("match"), self._matched(margin)):
            yield judged(votes, spec.stitching, spec.volume.voxel_size_nm, quarantined, undone)

    def _matched(self, margin: int) -> list[ItemMarker]:
        return self.run.folder("match").manifest_of(self._names(margin))

    def _names(self, margin: int) -> list[str]:
        cells = regions_of(self.run).cells(0, self.number, margin).tolist()
        return [self.run.grid.subvolume(number).name for number in cells]


def pair_constraints_of(edits: Edits) -> tuple[PairConstraints, Ids]:
    """What people said, as pairs of supervoxels: must-link and cannot-link, and votes that they took back."""
    pairs = {
        kind: np.array([(e.first, e.second) for e in edits.edits if e.kind is kind], np.uint64).reshape(-1, 2)
        for kind in EditKind
    }
    return PairConstraints(pairs[EditKind.JOIN], pairs[EditKind.PART]), pairs[EditKind.UNDO]
