"""Which votes propose to join bodies: the rules of the stitching modes, as vectorised filters over a vote table.

A piece proposes its best partner (most shared voxels) in each overlap, if both reach the true interface and share more
than the floor: a piece that is never written must not be a bridge. The names and rules are those of DVIDSparkServices
(Plaza & Berg 2016, https://arxiv.org/abs/1604.00385), with its floors of 50 and 1000 voxels as volumes at 10 nm:

- `none` takes nothing;
- `conservative`: each proposes the other, and the shared voxels are at least 90 % of what either has in the overlap;
- `medium`: each proposes the other;
- `aggressive`: also one side alone, if more than 90 % of it is shared, and more than 1e6 nm3;
- `iou`: each proposes the other, and the Jaccard index in the overlap is at least `iou_min`.

Beside a quarantined subvolume the conservative rule holds in every mode. Equal overlaps are settled by the larger
Jaccard index, then by the smaller id: never by the order of rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from emseg.config.dataset import Stitching, StitchMode
from emseg.stitch.supervoxels import cells_of
from emseg.stitch.votes import Flags, Floats, Ids, Votes, VoxelSize

REFUSALS = (
    "mode joins nothing",
    "does not reach the interface",
    "overlap too small",
    "not mutual best",
    "not nearly equal",
    "not nearly equal, and one side is quarantined",
    "Jaccard index too small",
)
"""Why a vote is no candidate, in the order in which the rules are tried."""

NEARLY_EQUAL = 0.9
ONE_SIDED_SHARE = 0.9
ONE_SIDED_NM3 = 1e6


@dataclass(frozen=True, eq=False)
class Proposals:
    """For each vote: whether it is a candidate, and the number of the refusal in `REFUSALS` where it is not."""

    taken: Flags
    refusal: npt.NDArray[np.int8]


def decide(
    votes: Votes, stitching: Stitching, voxel_size_nm: VoxelSize, quarantined: Collection[int] = ()
) -> Proposals:
    """Apply the mode's rules to every vote; `quarantined` are cell numbers.

    The result does not depend on the order of the votes.
    """
    mode = stitching.mode
    shared_nm3: Floats = votes.overlap_vox * np.float64(prod(voxel_size_nm))
    nearly_equal = votes.agreement >= NEARLY_EQUAL
    careful = _in_quarantine(votes, quarantined)
    proposes = best_partners(votes)
    alone = np.zeros(len(votes), bool)
    if mode is StitchMode.AGGRESSIVE:
        alone = _one_sided(votes, proposes, shared_nm3) & ~careful
    never = np.zeros(len(votes), bool)
    refusals = [
        np.full(len(votes), mode is StitchMode.NONE),
        ~(votes.first_reaches & votes.second_reaches),
        shared_nm3 <= stitching.min_overlap_nm3,
        ~(proposes[0] & proposes[1]) & ~alone,
        ~nearly_equal if mode is StitchMode.CONSERVATIVE else never,
        ~nearly_equal & careful,
        votes.iou < stitching.iou_min if mode is StitchMode.IOU else never,
    ]
    refusal = np.select(refusals, range(len(refusals)), default=-1).astype(np.int8)
    return Proposals(taken=refusal < 0, refusal=refusal)


def best_partners(votes: Votes) -> tuple[Flags, Flags]:
    """Whether `second` is the best partner of `first` in their overlap, and the other way round."""
    first_cell, second_cell = cells_of(votes.first), cells_of(votes.second)
    return (
        _is_best(votes, (votes.first, second_cell), votes.second),
        _is_best(votes, (votes.second, first_cell), votes.first),
    )


def _one_sided(votes: Votes, proposes: tuple[Flags, Flags], shared_nm3: Floats) -> Flags:
    shares = (votes.overlap_vox / np.maximum(size, 1) for size in (votes.first_vox, votes.second_vox))
    enough = [own & (share > ONE_SIDED_SHARE) for own, share in zip(proposes, shares, strict=True)]
    return (enough[0] | enough[1]) & (shared_nm3 > ONE_SIDED_NM3)


def _in_quarantine(votes: Votes, quarantined: Collection[int]) -> Flags:
    cells = np.array(sorted(quarantined), np.int64)
    return np.isin(cells_of(votes.first), cells) | np.isin(cells_of(votes.second), cells)


def _is_best(votes: Votes, group: tuple[Ids, npt.NDArray[np.int64]], partner: Ids) -> Flags:
    order = np.lexsort((partner, -votes.iou, -votes.overlap_vox, *group))
    sorted_groups = [column[order] for column in group]
    opens_group = np.ones(len(votes), bool)
    opens_group[1:] = (sorted_groups[0][1:] != sorted_groups[0][:-1]) | (sorted_groups[1][1:] != sorted_groups[1][:-1])
    best = np.zeros(len(votes), bool)
    best[order] = opens_group
    return best
