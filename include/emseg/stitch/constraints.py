"""Joining under constraints: best evidence first, and no weak join against what a subvolume saw or a guard allows.

A candidate is *strong* where the overlap is nearly all of both supervoxels and neither is disputed; else it is *weak*.
A supervoxel is disputed where, in one overlap, it covers a good part of two that the neighbour kept apart: one of the
two subvolumes is wrong about it, and nothing says which. Strong candidates are taken first. A weak one is refused when
it would bring together two supervoxels that touch inside one subvolume and were kept apart there; and parked for a
person to look at when a growth guard forbids it. Order: strong before weak, larger Jaccard index, more shared voxels,
smaller ids; so the result is a function of the set of candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.array_types import Counts, Flags, Floats, Ids
from emseg.config.dataset import Constraints
from emseg.geometry import cells_of
from emseg.sorted_ids import find, is_among
from emseg.stitch.constrained_union import join
from emseg.stitch.modes import NEARLY_EQUAL
from emseg.stitch.pair_constraints import PairConstraints, contradicted
from emseg.stitch.supervoxels import Contacts, Supervoxels
from emseg.stitch.votes import Votes, VoxelSize

OUTCOMES = (
    "joined",
    "joined, already one body",
    "kept apart in one subvolume where they touch",
    "kept apart by a person",
    "parked: joins two large bodies on weak evidence",
    "parked: reaches too many faces of the volume on weak evidence",
    "parked: too many weak joins in one body",
)
"""What became of a candidate, by the numbers of `constrained_union`; the last three are for a person to look at."""

DISPUTED_SHARE = 0.1
"""Share of a supervoxel's voxels in an overlap that a second partner must have to dispute it."""


@dataclass(frozen=True, eq=False)
class Joining:
    """For each candidate: its rank in the order of evidence, whether it is weak, and the outcome (`OUTCOMES`).

    `against` are the two supervoxels that a refused candidate would have brought together, else 0. `nodes` are the
    supervoxels of all candidates, ascending, and `component` the number of the body of each.
    """

    rank: Counts
    weak: Flags
    outcome: npt.NDArray[np.int8]
    against: Ids
    nodes: Ids
    component: Counts


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


def join_constrained(
    votes: Votes,
    weak: Flags,
    supervoxels: Supervoxels,
    contacts: Contacts,
    pair_constraints: PairConstraints,
    constraints: Constraints,
    voxel_size_nm: VoxelSize,
) -> Joining:
    """Join the candidates `votes`, best evidence first, under the constraints.

    `weak` tells for each candidate whether `constraints` apply to it. What people said, `pair_constraints`, binds all;
    PermanentError where it contradicts itself.
    """
    if len(pair := pair_constraints.contradiction()):
        raise contradicted("resolving bodies", pair)
    nodes: Ids = fastremap.unique(np.concatenate([votes.first, votes.second, pair_constraints.must_link.ravel()]))
    order = np.lexsort((votes.second, votes.first, -votes.overlap_vox, -votes.iou, weak))
    apart, is_said = _kept_apart(nodes, contacts, pair_constraints, constraints)
    limits = (constraints.max_weak_um3, constraints.max_weak_faces, constraints.max_weak_joins)
    outcome, against, component = join(
        _indices(nodes, pair_constraints.must_link),
        _indices(nodes, np.stack([votes.first, votes.second], axis=1)[order]),
        weak[order],
        _indices(nodes, apart),
        is_said,
        _sizes(nodes, supervoxels, voxel_size_nm),
        np.array([np.inf if limit is None else limit for limit in limits], np.float64),
    )
    rank = np.empty(len(votes), np.int64)
    rank[order] = np.arange(len(votes))
    blamed = np.where((against >= 0)[:, None], apart[against] if len(apart) else np.uint64(0), np.uint64(0))
    return Joining(rank, weak, outcome[rank], blamed[rank], nodes, component)


def is_weak(votes: Votes, all_votes: Votes, floor_vox: float) -> Flags:
    """Which candidates `votes` are weak evidence, seen beside all votes."""
    disputed = disputed_supervoxels(all_votes, floor_vox)
    in_doubt = is_among(votes.first, disputed) | is_among(votes.second, disputed)
    weak: Flags = (votes.agreement < NEARLY_EQUAL) | in_doubt
    return weak


def _kept_apart(
    nodes: Ids, contacts: Contacts, pair_constraints: PairConstraints, constraints: Constraints
) -> tuple[Ids, Flags]:
    """Pairs that must not be one body, and whether people said so."""
    pairs = np.empty((0, 2), np.uint64)
    if constraints.kept_apart_nm2 is not None:
        large = contacts.area_nm2 >= constraints.kept_apart_nm2
        pairs = np.stack([contacts.first[large], contacts.second[large]], axis=1)
        pairs = pairs[is_among(pairs, nodes).all(axis=1)]
    said = pair_constraints.cannot_link_among(nodes)
    return np.concatenate([said, pairs]), np.arange(len(said) + len(pairs)) < len(said)


def _sizes(nodes: Ids, supervoxels: Supervoxels, voxel_size_nm: VoxelSize) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Volume in um3 and faces of the volume of each node; a supervoxel that lies in the halo alone has none."""
    um3, faces = np.zeros(len(nodes)), np.zeros(len(nodes), np.uint8)
    row, known = find(nodes, supervoxels.supervoxel)
    um3[known] = supervoxels.voxels[row[known]] * (prod(voxel_size_nm) * 1e-9)
    faces[known] = supervoxels.faces[row[known]]
    return um3, faces


def _indices(nodes: Ids, pairs: Ids) -> Counts:
    """Indices into `nodes`, which holds every id of `pairs`, int64 (N, 2)."""
    return np.searchsorted(nodes, pairs).astype(np.int64).reshape(-1, 2)
