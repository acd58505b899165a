"""Which votes become candidates: each stitching mode is a row of rules, tried in order on every vote.

A supervoxel proposes its best partner (most shared voxels) in each overlap, if both reach the true interface and share
more than the floor: one that is never written must not be a bridge. The names and rules are those of DVIDSparkServices
(Plaza & Berg 2016, https://arxiv.org/abs/1604.00385), with its floors of 50 and 1000 voxels as volumes at 10 nm:

- `none` takes nothing;
- `conservative`: each proposes the other, and the shared voxels are at least 90 % of what either has in the overlap;
- `medium`: each proposes the other;
- `aggressive`: also one side alone, if more than 90 % of it is shared, and more than 1e6 nm3;
- `iou`: each proposes the other, and the Jaccard index in the overlap is at least `iou_min`.

Beside a quarantined subvolume the conservative rule holds in every mode. Equal overlaps are settled by the larger
Jaccard index, then by the smaller id: never by the order of rows.

A new mode is a value of `StitchMode` and a row of `MODES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from emseg.array_types import Counts, Flags, Floats, Ids
from emseg.config.stitching import Stitching, StitchMode
from emseg.geometry.supervoxel_ids import cells_of
from emseg.stitch.votes import Votes, VoxelSize

NEARLY_EQUAL = 0.9
ONE_SIDED_SHARE = 0.9
ONE_SIDED_NM3 = 1e6


@dataclass(frozen=True, eq=False)
class Case:
    """The votes of a run with all that a rule may ask about them; `quarantined` are cell numbers."""

    votes: Votes
    stitching: Stitching
    voxel_size_nm: VoxelSize
    quarantined: Collection[int] = ()

    @cached_property
    def shared_nm3(self) -> Floats:
        """Volume of the shared voxels."""
        shared: Floats = self.votes.overlap_vox * np.float64(prod(self.voxel_size_nm))
        return shared

    @cached_property
    def nearly_equal(self) -> Flags:
        """Whether the shared voxels are nearly all of both supervoxels."""
        flags: Flags = self.votes.agreement >= NEARLY_EQUAL
        return flags

    @cached_property
    def in_quarantine(self) -> Flags:
        """Whether one side is of a quarantined subvolume."""
        cells = np.array(sorted(self.quarantined), np.int64)
        return np.isin(cells_of(self.votes.first), cells) | np.isin(cells_of(self.votes.second), cells)

    @cached_property
    def proposals(self) -> tuple[Flags, Flags]:
        """Whether `second` is the best partner of `first` in their overlap, and the other way round."""
        votes = self.votes
        return (
            _is_best(votes, (votes.first, cells_of(votes.second)), votes.second),
            _is_best(votes, (votes.second, cells_of(votes.first)), votes.first),
        )

    @cached_property
    def mutual(self) -> Flags:
        """Whether each proposes the other."""
        return self.proposals[0] & self.proposals[1]

    @cached_property
    def one_sided(self) -> Flags:
        """Whether one side proposes the other with nearly all of itself, and with much."""
        votes = self.votes
        shares = (votes.overlap_vox / np.maximum(size, 1) for size in (votes.first_vox, votes.second_vox))
        enough = [own & (share > ONE_SIDED_SHARE) for own, share in zip(self.proposals, shares, strict=True)]
        return (enough[0] | enough[1]) & (self.shared_nm3 > ONE_SIDED_NM3)


@dataclass(frozen=True)
class Rule:
    """Votes that `refuses` flags are no candidates, and the ledger says why: `reason`, which is stored."""

    reason: str
    refuses: Callable[[Case], Flags]


REACH = Rule("does not reach the interface", lambda case: ~(case.votes.first_reaches & case.votes.second_reaches))
FLOOR = Rule("overlap too small", lambda case: case.shared_nm3 <= case.stitching.min_overlap_nm3)
MUTUAL = Rule("not mutual best", lambda case: ~case.mutual)
ONE_SIDE = Rule(MUTUAL.reason, lambda case: ~(case.mutual | (case.one_sided & ~case.in_quarantine)))
CAREFUL = Rule("not nearly equal, and one side is quarantined", lambda case: ~case.nearly_equal & case.in_quarantine)
NEARLY = Rule("not nearly equal", lambda case: ~case.nearly_equal)
JACCARD = Rule("Jaccard index too small", lambda case: case.votes.iou < case.stitching.iou_min)
NOTHING = Rule("mode joins nothing", lambda case: np.ones(len(case.votes), bool))

MODES: Mapping[StitchMode, tuple[Rule, ...]] = {
    StitchMode.NONE: (NOTHING,),
    StitchMode.CONSERVATIVE: (REACH, FLOOR, MUTUAL, NEARLY),
    StitchMode.MEDIUM: (REACH, FLOOR, MUTUAL, CAREFUL),
    StitchMode.AGGRESSIVE: (REACH, FLOOR, ONE_SIDE, CAREFUL),
    StitchMode.IOU: (REACH, FLOOR, MUTUAL, CAREFUL, JACCARD),
}
"""The rules of each mode; the first that refuses a vote gives the reason."""

REFUSALS = tuple(dict.fromkeys(rule.reason for rules in MODES.values() for rule in rules))
"""Why a vote is no candidate."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """For each vote: whether it is a candidate, and where it is not the index of the reason in `REFUSALS`, else -1."""

    taken: Flags
    refusal: npt.NDArray[np.int8]


def decide(
    votes: Votes, stitching: Stitching, voxel_size_nm: VoxelSize, quarantined: Collection[int] = ()
) -> Proposals:
    """Apply the rules of the mode to every vote; `quarantined` are cell numbers.

    The result does not depend on the order of the votes.
    """
    case = Case(votes, stitching, voxel_size_nm, quarantined)
    rules = MODES[stitching.mode]
    numbers = [REFUSALS.index(rule.reason) for rule in rules]
    refusal = np.select([rule.refuses(case) for rule in rules], numbers, default=-1).astype(np.int8)
    return Proposals(taken=refusal < 0, refusal=refusal)


def _is_best(votes: Votes, group: tuple[Ids, Counts], partner: Ids) -> Flags:
    """The first vote of each group: most shared voxels, then the larger Jaccard index, then the smaller partner."""
    order = np.lexsort((partner, -votes.iou, -votes.overlap_vox, *group))
    sorted_groups = [column[order] for column in group]
    opens_group = np.ones(len(votes), bool)
    opens_group[1:] = (sorted_groups[0][1:] != sorted_groups[0][:-1]) | (sorted_groups[1][1:] != sorted_groups[1][:-1])
    best = np.zeros(len(votes), bool)
    best[order] = opens_group
    return best
