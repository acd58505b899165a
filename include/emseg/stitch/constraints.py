"""Joining under constraints: best evidence first, and no weak join against what a subvolume saw or a guard allows.

A candidate is *strong* where the overlap is nearly all of both pieces and neither is disputed; else it is *weak*. A
piece is disputed where, in one overlap, it covers a good part of two pieces that the neighbour kept apart: one of the
two subvolumes is wrong about it, and nothing says which. Strong candidates are taken first. A weak one is refused when
it would bring together two pieces that touch inside one subvolume and were kept apart there; and parked for a person to
look at when a growth guard forbids it. Order: strong before weak, larger Jaccard index, more shared voxels, smaller
ids; so the result is a function of the set of candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import fastremap
import numpy as np
import numpy.typing as npt
from numba import njit

from emseg.compiled import compiled
from emseg.config.dataset import Constraints
from emseg.stitch.link_constraints import Links, contradicted
from emseg.stitch.modes import NEARLY_EQUAL
from emseg.stitch.pieces import Contacts, Pieces
from emseg.stitch.supervoxels import cells_of, is_among
from emseg.stitch.votes import Flags, Ids, Votes, VoxelSize

JOINED, ALREADY, KEPT_APART, FORBIDDEN, LARGE, FACES, ENTRIES = range(7)
OUTCOMES = (
    "joined",
    "joined, already one body",
    "kept apart in one subvolume where they touch",
    "kept apart by a person",
    "parked: joins two large bodies on weak evidence",
    "parked: reaches too many faces of the volume on weak evidence",
    "parked: too many weak joins in one body",
)
"""What became of a candidate; the first two are joins, the last three are for a person to look at."""

DISPUTED_SHARE = 0.1
"""Share of a piece's voxels in an overlap that a second partner must have to dispute it."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Joining:
    """For each candidate: the place in the order of evidence, whether it is weak, and the outcome (`OUTCOMES`).

    `against` is, where a candidate was refused for two pieces that stay apart, their ids, else 0. `nodes` are the
    supervoxels of all candidates, ascending, and `component` the number of the body of each.
    """

    rank: Numbers
    weak: Flags
    outcome: npt.NDArray[np.int8]
    against: Ids
    nodes: Ids
    component: Numbers


def disputed_pieces(votes: Votes, floor_vox: float) -> Ids:
    """Pieces that cover a good part of two pieces of one neighbour; ascending.

    Worked example: of the 100 voxels of a piece in an overlap 70 are one partner's and 20 another's: disputed, if the
    floor is below 20.
    """
    found = []
    for piece, size, other in (
        (votes.first, votes.first_vox, cells_of(votes.second)),
        (votes.second, votes.second_vox, cells_of(votes.first)),
    ):
        large = (votes.overlap_vox > floor_vox) & (votes.overlap_vox >= DISPUTED_SHARE * size)
        pieces, cells = piece[large], other[large]
        order = np.lexsort((cells, pieces))
        pieces, cells = pieces[order], cells[order]
        found.append(pieces[1:][(pieces[1:] == pieces[:-1]) & (cells[1:] == cells[:-1])])
    disputed: Ids = fastremap.unique(np.concatenate(found))
    return disputed


def join_constrained(
    votes: Votes,
    weak: Flags,
    pieces: Pieces,
    contacts: Contacts,
    links: Links,
    constraints: Constraints,
    voxel_size_nm: VoxelSize,
) -> Joining:
    """Join the candidates `votes`, best evidence first, under the constraints.

    `weak` tells for each candidate whether constraints apply to it. PermanentError where `links` contradict each other.
    Memory: about 100 bytes a candidate and contact.
    """
    if len(pair := links.contradiction()):
        raise contradicted("resolving bodies", pair)
    nodes: Ids = fastremap.unique(np.concatenate([votes.first, votes.second, links.must.ravel()]))
    order = np.lexsort((votes.second, votes.first, -votes.overlap_vox, -votes.iou, weak))
    apart, is_said = _kept_apart(nodes, contacts, links, constraints)
    limits = (constraints.max_weak_um3, constraints.max_weak_faces, constraints.max_weak_joins)
    outcome, against, component = _join(
        _places(nodes, links.must),
        _places(nodes, np.stack([votes.first, votes.second], axis=1)[order]),
        weak[order],
        _places(nodes, apart),
        is_said,
        _sizes(nodes, pieces, voxel_size_nm),
        np.array([np.inf if limit is None else limit for limit in limits], np.float64),
    )
    rank = np.empty(len(votes), np.int64)
    rank[order] = np.arange(len(votes))
    blamed = np.where((against >= 0)[:, None], apart[against] if len(apart) else np.uint64(0), np.uint64(0))
    return Joining(rank, weak, outcome[rank], blamed[rank], nodes, component)


def is_weak(votes: Votes, all_votes: Votes, floor_vox: float) -> Flags:
    """Which candidates `votes` are weak evidence, seen beside all votes."""
    disputed = disputed_pieces(all_votes, floor_vox)
    in_doubt = is_among(votes.first, disputed) | is_among(votes.second, disputed)
    weak: Flags = (votes.agreement < NEARLY_EQUAL) | in_doubt
    return weak


def _kept_apart(nodes: Ids, contacts: Contacts, links: Links, constraints: Constraints) -> tuple[Ids, Flags]:
    """Pairs that must not be one body, and whether people said so."""
    pairs = np.empty((0, 2), np.uint64)
    if constraints.kept_apart_nm2 is not None:
        large = contacts.area_nm2 >= constraints.kept_apart_nm2
        pairs = np.stack([contacts.first[large], contacts.second[large]], axis=1)
        pairs = pairs[is_among(pairs, nodes).all(axis=1)]
    said = links.cannot_among(nodes)
    return np.concatenate([said, pairs]), np.arange(len(said) + len(pairs)) < len(said)


def _sizes(
    nodes: Ids, pieces: Pieces, voxel_size_nm: VoxelSize
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Volume in um3 and faces of the volume of each node; a piece that lies in the halo alone has none."""
    um3, faces = np.zeros(len(nodes)), np.zeros(len(nodes), np.uint8)
    if len(pieces):
        place = np.minimum(np.searchsorted(pieces.supervoxel, nodes), len(pieces) - 1)
        known = pieces.supervoxel[place] == nodes
        um3[known] = pieces.voxels[place[known]] * (prod(voxel_size_nm) * 1e-9)
        faces[known] = pieces.faces[place[known]]
    return um3, faces


def _places(nodes: Ids, pairs: Ids) -> Numbers:
    return np.searchsorted(nodes, pairs).astype(np.int64).reshape(-1, 2)


@njit(nogil=True)
def _root(parent, node):  # type: ignore[no-untyped-def]
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _join(must, edges, weak, apart, is_said, sizes, limits):  # type: ignore[no-untyped-def]
    """Outcome of each edge, the pair of `apart` that refused it (or -1), and the component of each node.

    A strong edge is bound only by the pairs that people said. `sizes` are um3 and faces of each node; `limits` those of
    the three guards.
    """
    um3, faces = sizes[0].copy(), sizes[1].copy()
    parent, joins = np.arange(len(um3)), np.zeros(len(um3), np.int64)
    lists = _lists(apart, len(um3))
    outcome, against = np.zeros(len(edges), np.int8), np.full(len(edges), -1, np.int64)
    for a, b in must:
        _merge(_root(parent, a), _root(parent, b), 0, parent, (um3, faces, joins), lists)
    for i, (a, b) in enumerate(edges):
        a, b = _root(parent, a), _root(parent, b)  # noqa: PLW2901 - from a piece to its body
        if a == b:
            outcome[i] = ALREADY
            continue
        pair = _conflict(parent, (a, b), apart, is_said, lists, weak[i])
        if pair >= 0:
            outcome[i], against[i] = FORBIDDEN if is_said[pair] else KEPT_APART, pair
        elif weak[i]:
            outcome[i] = _guarded(a, b, (um3, faces, joins), limits)
        if outcome[i] == JOINED:
            _merge(a, b, int(weak[i]), parent, (um3, faces, joins), lists)
    component = np.empty(len(um3), np.int64)
    for node in range(len(um3)):
        component[node] = _root(parent, node)
    return outcome, against, component


@njit(nogil=True)
def _lists(apart, nodes):  # type: ignore[no-untyped-def]
    """For each node a linked list of the halves of the pairs that it is in: half `2 p + s` is side s of pair p."""
    head, tail, length = np.full(nodes, -1, np.int64), np.full(nodes, -1, np.int64), np.zeros(nodes, np.int64)
    after = np.full(2 * len(apart), -1, np.int64)
    for half in range(2 * len(apart)):
        node = apart[half // 2, half % 2]
        if tail[node] < 0:
            head[node] = half
        else:
            after[tail[node]] = half
        tail[node] = half
        length[node] += 1
    return head, tail, length, after


@njit(nogil=True)
def _merge(a, b, weak_joins, parent, sums, lists):  # type: ignore[no-untyped-def]
    """Make one body of the roots `a` and `b`: sizes add up, lists are put one behind the other."""
    um3, faces, joins = sums
    head, tail, length, after = lists
    if a == b:
        return
    if length[a] < length[b]:
        a, b = b, a
    parent[b] = a
    um3[a] += um3[b]
    faces[a] |= faces[b]
    joins[a] += joins[b] + weak_joins
    if head[b] >= 0:
        after[tail[a]] = head[b]
        tail[a] = tail[b]
        length[a] += length[b]


@njit(nogil=True)
def _conflict(parent, bodies, apart, is_said, lists, weak):  # type: ignore[no-untyped-def]
    """The first pair that binds the edge and has one side in each of two bodies, or -1.

    It walks the shorter of the two lists.
    """
    a, b = bodies
    head, _, length, after = lists
    if length[a] > length[b]:
        a, b = b, a
    found = -1
    half = head[a]
    while half >= 0:
        pair = half // 2
        binds = weak or is_said[pair]
        if binds and _root(parent, apart[pair, 1 - half % 2]) == b and (found < 0 or pair < found):
            found = pair
        half = after[half]
    return found


@njit(nogil=True)
def _guarded(a, b, sums, limits):  # type: ignore[no-untyped-def]
    um3, faces, joins = sums
    together = _bits(faces[a] | faces[b])
    if min(um3[a], um3[b]) > limits[0]:
        return LARGE
    if together > limits[1] and together > max(_bits(faces[a]), _bits(faces[b])):
        return FACES
    if joins[a] + joins[b] + 1 > limits[2]:
        return ENTRIES
    return JOINED


@njit(nogil=True)
def _bits(flags):  # type: ignore[no-untyped-def]
    count = 0
    for bit in range(6):
        count += (flags >> bit) & 1
    return count
