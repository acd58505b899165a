"""Which votes join bodies: the rules of the stitching modes, as vectorised filters over a vote table.

`none` joins nothing. `medium` joins two pieces when each is the other's best partner in their overlap (most shared
voxels), both reach the true interface, and they share more than `min_overlap_vox` voxels. Beside a quarantined
subvolume both must also share 90 % of what each has in the overlap (`conservative`). The names and the floor of
50 voxels are those of DVIDSparkServices (Plaza & Berg 2016, https://arxiv.org/abs/1604.00385).

Equal overlaps are settled by the larger Jaccard index, then by the smaller id: never by the order of rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.config.dataset import Stitching, StitchMode
from emseg.stitch.supervoxels import cells_of
from emseg.stitch.votes import Flags, Ids, Votes

REASONS = (
    "joined",
    "mode joins nothing",
    "does not reach the interface",
    "overlap too small",
    "not mutual best",
    "not nearly equal, and one side is quarantined",
)
"""Why a vote was taken or refused, in the order in which the rules are tried; the ledger keeps the text."""


CONSERVATIVE_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Decisions:
    """For each vote: whether it joins its two pieces, and the index into `REASONS`."""

    joins: Flags
    reason: npt.NDArray[np.int8]


def decide(votes: Votes, stitching: Stitching, quarantined: Collection[int] = ()) -> Decisions:
    """Apply the mode's rules to every vote; `quarantined` are cell numbers.

    The result does not depend on the order of the votes.
    """
    refusals = [
        np.full(len(votes), stitching.mode is StitchMode.NONE),
        ~(votes.first_reaches & votes.second_reaches),
        votes.overlap_vox <= stitching.min_overlap_vox,
        ~mutual_best(votes),
        _in_quarantine(votes, quarantined) & ~_nearly_equal(votes),
    ]
    reason = np.select(refusals, [1, 2, 3, 4, 5], default=0).astype(np.int8)
    return Decisions(joins=reason == 0, reason=reason)


def _in_quarantine(votes: Votes, quarantined: Collection[int]) -> Flags:
    cells = np.array(sorted(quarantined), np.int64)
    return np.isin(cells_of(votes.first), cells) | np.isin(cells_of(votes.second), cells)


def _nearly_equal(votes: Votes) -> Flags:
    """Whether the shared voxels are `CONSERVATIVE_SHARE` of what each side has in the overlap: 90 of 100 and of 95."""
    return votes.overlap_vox >= CONSERVATIVE_SHARE * np.maximum(votes.first_vox, votes.second_vox)


def mutual_best(votes: Votes) -> Flags:
    """Whether each side of a vote is the other's best partner among all votes of the same pair of subvolumes."""
    first_cell, second_cell = cells_of(votes.first), cells_of(votes.second)
    best_of_first = _is_best(votes, (votes.first, second_cell), votes.second)
    best_of_second = _is_best(votes, (votes.second, first_cell), votes.first)
    return best_of_first & best_of_second


def _is_best(votes: Votes, group: tuple[Ids, npt.NDArray[np.int64]], partner: Ids) -> Flags:
    jaccard = votes.overlap_vox / np.maximum(votes.first_vox + votes.second_vox - votes.overlap_vox, 1)
    order = np.lexsort((partner, -jaccard, -votes.overlap_vox, *group))
    sorted_groups = [column[order] for column in group]
    opens_group = np.ones(len(votes), bool)
    opens_group[1:] = (sorted_groups[0][1:] != sorted_groups[0][:-1]) | (sorted_groups[1][1:] != sorted_groups[1][:-1])
    best = np.zeros(len(votes), bool)
    best[order] = opens_group
    return best
