"""How good joins are: precision and recall of the votes that each stitching mode takes, and of those a run joined.

Both supervoxels of a vote lie in the overlap of two subvolumes. There, a supervoxel has a *clear body* if at least
half of its voxels count and at least nine tenths of those are of one body of the ground truth. Of the votes that any
mode may take (both reach the interface, and share more than the floor), those with two clear bodies are judged:

- precision: of the judged votes that were joined, the share with the same body on both sides;
- recall: of the judged votes with the same body on both sides, the share that was joined.

A run joins a vote if its supervoxels are one body in the end, also through others. A mode is given what its rules
take, before constraints and people.

Worked example: four judged votes, three of them with the same body on both sides. A mode takes two of these three, and
the fourth: precision 2/3, recall 2/3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from emseg.array_types import AnyLabels, Flags, Ids
from emseg.config.stitching import Stitching, StitchMode
from emseg.geometry.supervoxel_ids import supervoxel_ids
from emseg.kernels.label_pairs import count_pairs
from emseg.quality.report.document import JoinAccuracy
from emseg.sorted_ids import find
from emseg.stitch import BodyMapping, Votes
from emseg.stitch.modes import FLOOR, REACH, Case, decide
from emseg.stitch.votes import VoxelSize

CLEAR_SHARE = 0.9
COUNTED_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class ClearBodies:
    """Body of each supervoxel that has a clear one in an overlap, supervoxels ascending."""

    supervoxels: Ids
    bodies: Ids

    def of(self, supervoxels: Ids) -> Ids:
        """Body of each, 0 for one without a clear body."""
        if len(self.supervoxels) == 0:
            return np.zeros(len(supervoxels), np.uint64)
        row, known = find(supervoxels, self.supervoxels)
        return np.where(known, self.bodies[row], np.uint64(0))


def clear_bodies(labels: AnyLabels, truth: AnyLabels, cell: int) -> ClearBodies:
    """From local labels of a subvolume and ground truth, 0 where it does not count, of equal shape."""
    local, body, shared = count_pairs(labels, truth)
    own, of = np.unique(local, return_inverse=True)
    voxels = np.bincount(of, weights=shared, minlength=len(own))
    counted = np.bincount(of, weights=np.where(body != 0, shared, 0), minlength=len(own))
    clear = (shared >= CLEAR_SHARE * counted[of]) & (counted[of] >= COUNTED_SHARE * voxels[of])
    clear &= (local != 0) & (body != 0)
    return ClearBodies(supervoxel_ids(local[clear].astype(np.uint32), cell), body[clear])


@dataclass(frozen=True)
class JoinCount:
    """Votes of some overlaps, counted; counts of disjoint overlaps add up."""

    joins: int = 0
    judged: int = 0
    right: int = 0
    wanted: int = 0

    def __add__(self, other: JoinCount) -> JoinCount:
        return JoinCount(
            self.joins + other.joins,
            self.judged + other.judged,
            self.right + other.right,
            self.wanted + other.wanted,
        )

    def accuracy(self, rules: str) -> JoinAccuracy:
        """As the report tells it; no precision without a judged join, no recall where there is nothing to join."""
        return JoinAccuracy(
            rules=rules,
            joins=self.joins,
            judged=self.judged,
            right=self.right,
            wanted=self.wanted,
            precision=self.right / self.judged if self.judged else None,
            recall=self.right / self.wanted if self.wanted else None,
        )


THIS_RUN = "this run"


def count_joins(
    votes: Votes,
    bodies: tuple[Ids, Ids],
    mapping: BodyMapping,
    stitching: Stitching,
    voxel_size_nm: VoxelSize,
    quarantined: Collection[int] = (),
) -> Mapping[str, JoinCount]:
    """Counts of the run, then by mode. `votes` are all of one overlap, `bodies` the clear bodies of both sides."""
    case = Case(votes, stitching, voxel_size_nm, quarantined)
    possible = ~REACH.refuses(case) & ~FLOOR.refuses(case)
    joined = mapping.body_of(votes.first) == mapping.body_of(votes.second)
    clear, same = (bodies[0] != 0) & (bodies[1] != 0), bodies[0] == bodies[1]
    taken = {THIS_RUN: joined}
    for mode in StitchMode:
        changed = stitching.model_copy(update={"mode": mode})
        taken[mode.value] = decide(votes, changed, voxel_size_nm, quarantined).taken
    return {rules: _counted(flags & possible, clear & possible, same) for rules, flags in taken.items()}


def _counted(taken: Flags, clear: Flags, same: Flags) -> JoinCount:
    right = taken & clear & same
    return JoinCount(*(int(np.count_nonzero(each)) for each in (taken, taken & clear, right, clear & same)))
