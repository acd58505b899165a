"""From votes to candidates: which votes may join, which evidence is weak, and in which order they come.

A candidate is *strong* where the overlap is nearly all of both supervoxels and neither is disputed; else it is *weak*.
A supervoxel is disputed where, in one overlap, it covers a good part of two that the neighbour kept apart: one of the
two subvolumes is wrong about it, and nothing says which.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.array_types import Flags, Ids
from emseg.config.stitching import Stitching
from emseg.geometry import cells_of
from emseg.sorted_ids import find_pairs, is_among
from emseg.stitch.modes import NEARLY_EQUAL, REFUSALS, decide
from emseg.stitch.votes import Votes, VoxelSize

DISPUTED_SHARE = 0.1
"""Share of a supervoxel's voxels in an overlap that a second partner must have to dispute it."""
UNDONE = "undone by a person"
NO_CANDIDATE = (*REFUSALS, UNDONE)
"""Why a vote is no candidate."""


@dataclass(frozen=True, eq=False)
class JudgedVotes:
    """The candidates, and other votes whose two supervoxels reach the interface: what a ledger tells of.

    `refusal` is the index in `NO_CANDIDATE` of why one is no candidate, else -1. `disputed` are the supervoxels,
    ascending, that all votes, also those left out, show to be disputed.
    """

    votes: Votes
    refusal: npt.NDArray[np.int8]
    disputed: Ids

    @property
    def candidates(self) -> Votes:
        """Those that may join."""
        return self.votes.rows(self.refusal < 0)


def judged(
    votes: Votes,
    stitching: Stitching,
    voxel_size_nm: VoxelSize,
    quarantined: Collection[int] = (),
    undone: Ids | None = None,
) -> JudgedVotes:
    """Apply the mode to the votes of whole overlaps. `quarantined` are cell numbers.

    `undone`, uint64 (N, 2), are votes that people took back.
    """
    refusal = decide(votes, stitching, voxel_size_nm, quarantined).refusal
    refusal[_is_undone(votes, undone)] = NO_CANDIDATE.index(UNDONE)
    told = (refusal < 0) | (votes.first_reaches & votes.second_reaches)
    disputed = disputed_supervoxels(votes, stitching.min_overlap_nm3 / prod(voxel_size_nm))
    return JudgedVotes(votes.rows(told), refusal[told], disputed)


def is_weak(candidates: Votes, disputed: Ids) -> Flags:
    """Which candidates are weak evidence; `disputed` are supervoxels, ascending."""
    in_doubt = is_among(candidates.first, disputed) | is_among(candidates.second, disputed)
    weak: Flags = (candidates.agreement < NEARLY_EQUAL) | in_doubt
    return weak


def disputed_supervoxels(votes: Votes, floor_vox: float) -> Ids:
    """Supervoxels that cover a good part of two of one neighbour; ascending.

    Worked example: of the 100 voxels of a supervoxel in an overlap 70 are one partner's and 20 another's. It is
    disputed if the floor is below 20.
    """
    found = []
    for own, size, other_cell in (
        (votes.first, votes.first_vox, cells_of(votes.second)),
        (votes.second, votes.second_vox, cells_of(votes.first)),
    ):
        large = (votes.overlap_vox > floor_vox) & (votes.overlap_vox >= DISPUTED_SHARE * size)
        ids, cells = own[large], other_cell[large]
        order = np.lexsort((cells, ids))
        ids, cells = ids[order], cells[order]
        found.append(ids[1:][(ids[1:] == ids[:-1]) & (cells[1:] == cells[:-1])])
    disputed: Ids = fastremap.unique(np.concatenate(found))
    return disputed


def _is_undone(votes: Votes, undone: Ids | None) -> Flags:
    if undone is None or len(undone) == 0:
        return np.zeros(len(votes), bool)
    first, second = np.sort(undone, axis=1).T
    return find_pairs((votes.first, votes.second), (first, second))[1]
