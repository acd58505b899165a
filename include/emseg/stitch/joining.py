"""Joining under constraints: best evidence first, and no weak join against what a subvolume saw or a guard allows.

Strong candidates are taken first. A weak one is refused when it would bring together two supervoxels that touch inside
one subvolume and were kept apart there; and parked for a person to look at when a growth guard forbids it. Order:
strong before weak, larger Jaccard index, more shared voxels, smaller ids; so the result is a function of the set of
candidates.

**Region by region.** `join_region` knows the candidates that have a side in one region of the volume. It decides those
that nothing outside can change, and leaves the others to the region that holds this one. For example, a candidate
crosses the border of the region and is the best that body A has. No weak candidate of A is decided before it, because
A may be another body by then. Where no candidate that comes earlier is undecided at A and at B, all of both is inside,
and their candidate is decided as if the whole volume were seen. So the result is the same, however the volume is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.array_types import Counts, Flags, Floats, Ids
from emseg.codec.column_table import StoredTable
from emseg.config.stitching import Constraints
from emseg.sorted_ids import find, is_among
from emseg.stitch.body_mapping import BodyMapping
from emseg.stitch.constrained_union import ALREADY, CONTESTED, JOINED, MUST_LINK, STRONG, UNDECIDED, WEAK, join
from emseg.stitch.pair_constraints import PairConstraints
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

NO_EDIT = 1 << 40
_UM3_PER_NM3 = 1e-9


@dataclass(frozen=True, eq=False)
class OpenCandidates(StoredTable):
    """Candidates and must-link pairs that are not decided, `first` < `second`.

    `first_body` and `second_body` are the bodies of both so far, 0 where one is outside of the region. `kind` is one of
    `constrained_union`; `iou` and `overlap_vox` tell the order.
    """

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            *((name, pa.uint64()) for name in ("first", "second", "first_body", "second_body")),
            ("kind", pa.uint8()),
            ("iou", pa.float64()),
            ("overlap_vox", pa.int64()),
        ]
    )
    ORDER: ClassVar[tuple[str, ...]] = ("first", "second", "kind")

    first: Ids
    second: Ids
    first_body: Ids
    second_body: Ids
    kind: npt.NDArray[np.uint8]
    iou: Floats
    overlap_vox: Counts


@dataclass(frozen=True, eq=False)
class OpenBodies(StoredTable):
    """Bodies that an undecided candidate has a side in, by their smallest supervoxel, with their sums."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [("body", pa.uint64()), ("voxels", pa.int64()), ("faces", pa.uint8()), ("weak_joins", pa.int64())]
    )
    ORDER: ClassVar[tuple[str, ...]] = ("body",)

    body: Ids
    voxels: Counts
    faces: npt.NDArray[np.uint8]
    weak_joins: Counts


@dataclass(frozen=True, eq=False)
class ApartPairs(StoredTable):
    """Supervoxels `first` and `second` that must not be one body, and the bodies of both so far (0: outside).

    `edit` is the number of what people said, from 0; `NO_EDIT`, behind all of them, for two that one subvolume kept
    apart where they touch. The first pair that binds is the one that is blamed.
    """

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            *((name, pa.uint64()) for name in ("first", "second", "first_body", "second_body")),
            ("edit", pa.int64()),
        ]
    )
    ORDER: ClassVar[tuple[str, ...]] = ("edit", "first", "second")

    first: Ids
    second: Ids
    first_body: Ids
    second_body: Ids
    edit: Counts

    @property
    def is_said(self) -> Flags:
        """Which of them people said."""
        return self.edit < NO_EDIT


@dataclass(frozen=True, eq=False)
class Undecided:
    """What is not decided of a region: the candidates, their bodies, and the pairs that must stay apart among them."""

    candidates: OpenCandidates
    bodies: OpenBodies
    apart: ApartPairs

    @classmethod
    def joined(cls, parts: Iterable[Undecided]) -> Undecided:
        """That of a region from those of the regions in it: each side of a link is known to one of them."""
        each = list(parts)
        return cls(
            _both_sides(OpenCandidates.joined(part.candidates for part in each)),
            OpenBodies.joined(part.bodies for part in each),
            _both_sides(ApartPairs.joined(part.apart for part in each)),
        )


@dataclass(frozen=True, eq=False)
class Decided(StoredTable):
    """Candidates that might have been refused, and their outcome, by its number in `OUTCOMES`.

    `apart_first` and `apart_second` are the two supervoxels that one would have brought together, else 0. A strong
    candidate that nothing may refuse is in no such table: it is joined.
    """

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            ("first", pa.uint64()),
            ("second", pa.uint64()),
            ("outcome", pa.int8()),
            ("apart_first", pa.uint64()),
            ("apart_second", pa.uint64()),
        ]
    )
    ORDER: ClassVar[tuple[str, ...]] = ("first", "second")

    first: Ids
    second: Ids
    outcome: npt.NDArray[np.int8]
    apart_first: Ids
    apart_second: Ids


@dataclass(frozen=True, eq=False)
class RegionJoining:
    """What one region decided, what it leaves, and the names of its bodies that people part though all evidence joins.

    `names` are the bodies that what came in has become.
    """

    names: BodyMapping
    decided: Decided
    left: Undecided
    contested: Ids


def evidence_of(
    votes: Votes,
    weak: Flags,
    supervoxels: Supervoxels,
    contacts: Contacts,
    said: PairConstraints,
    kept_apart_nm2: float | None,
    is_inside: Callable[[Ids], Flags],
) -> Undecided:
    """All of a region of level 0, nothing decided yet.

    `votes` are all candidates that have a side in the region, and `weak` tells which are weak. `is_inside` tells which
    supervoxels are of the region; those of `supervoxels` and `contacts` are.
    """
    candidates, cannot = _open_candidates(votes, weak, said.must_link, is_inside), _inside(said.cannot_link, is_inside)
    nodes = np.unique(np.concatenate([candidates.first_body, candidates.second_body, *cannot]))
    nodes = nodes[nodes > 0]
    row, known = find(nodes, supervoxels.supervoxel)
    voxels, faces = np.zeros(len(nodes), np.int64), np.zeros(len(nodes), np.uint8)
    voxels[known], faces[known] = supervoxels.voxels[row[known]], supervoxels.faces[row[known]]
    first, second = said.cannot_link.T
    parted = ApartPairs(first, second, *cannot, np.arange(len(said.cannot_link)))
    return Undecided(
        candidates,
        OpenBodies(nodes, voxels, faces, np.zeros(len(nodes), np.int64)),
        ApartPairs.joined([parted.rows((cannot[0] > 0) | (cannot[1] > 0)), _touching(contacts, nodes, kept_apart_nm2)]),
    )


def contesting(evidence: Undecided, contested: Ids) -> Undecided:
    """The same, where people part some of the supervoxels `contested` (ascending) that all strong evidence joins.

    Then the order of the evidence decides which of their candidates is refused.
    """
    candidates = evidence.candidates
    among = is_among(candidates.first_body, contested) | is_among(candidates.second_body, contested)
    kind = np.where((candidates.kind == STRONG) & among, CONTESTED, candidates.kind).astype(np.uint8)
    return replace(evidence, candidates=replace(candidates, kind=kind))


def strong_only(evidence: Undecided) -> Undecided:
    """The same without weak candidates, to see what is contested."""
    return replace(evidence, candidates=evidence.candidates.rows(evidence.candidates.kind <= STRONG))


def join_region(evidence: Undecided, constraints: Constraints, voxel_size_nm: VoxelSize) -> RegionJoining:
    """Decide all that can be decided of a region, best evidence first."""
    candidates, bodies, apart = evidence.candidates, evidence.bodies, evidence.apart
    order = np.lexsort((candidates.second, candidates.first, -candidates.overlap_vox, -candidates.iou, candidates.kind))
    candidates = candidates.rows(order)
    limits = [constraints.max_weak_um3, constraints.max_weak_faces, constraints.max_weak_joins]
    sums = (bodies.voxels.copy(), bodies.faces.copy(), bodies.weak_joins.copy())
    outcome, against, root, is_open = join(
        _rows_of(candidates.first_body, candidates.second_body, bodies.body),
        candidates.kind,
        _rows_of(apart.first_body, apart.second_body, bodies.body),
        apart.is_said,
        sums,
        np.array([*(np.inf if limit is None else limit for limit in limits), prod(voxel_size_nm) * _UM3_PER_NM3]),
    )
    names = BodyMapping.of_components(bodies.body, root)
    grown = OpenBodies(names.body_of(bodies.body[root]), *(column[root] for column in sums))
    undecided = outcome == UNDECIDED
    pairs = _renamed(apart, names)
    open_names = np.unique(grown.body[is_open[root]])
    is_body = (root == np.arange(len(root))) & is_open[root]
    left = Undecided(
        _renamed(candidates.rows(undecided), names),
        OpenBodies.joined([grown.rows(is_body)]),
        _still_apart(pairs, open_names),
    )
    same = pairs.is_said & (pairs.first_body == pairs.second_body)
    return RegionJoining(names, _decided(candidates, outcome, against, apart), left, np.unique(pairs.first_body[same]))


def _open_candidates(votes: Votes, weak: Flags, must_link: Ids, is_inside: Callable[[Ids], Flags]) -> OpenCandidates:
    must = np.unique(np.sort(must_link, axis=1), axis=0)
    must = must[(must[:, 0] != must[:, 1]) & is_inside(must).any(axis=1)]
    best, none, kind = np.ones(len(must)), np.zeros(len(must), np.int64), np.full(len(must), MUST_LINK, np.uint8)
    pairs = np.stack([votes.first, votes.second], axis=1)
    low, high = must.T
    kinds = np.where(weak, WEAK, STRONG).astype(np.uint8)
    return OpenCandidates.joined(
        [
            OpenCandidates(low, high, *_inside(must, is_inside), kind, best, none),
            OpenCandidates(votes.first, votes.second, *_inside(pairs, is_inside), kinds, votes.iou, votes.overlap_vox),
        ]
    )


def _inside(pairs: Ids, is_inside: Callable[[Ids], Flags]) -> tuple[Ids, Ids]:
    """Both sides of some pairs, uint64 (N, 2); 0 for one that is outside."""
    first, second = np.where(is_inside(pairs), pairs, 0).T
    return first, second


def _touching(contacts: Contacts, nodes: Ids, kept_apart_nm2: float | None) -> ApartPairs:
    """Pairs of `nodes` that one subvolume kept apart where they touch."""
    if kept_apart_nm2 is None:
        return ApartPairs.none()
    large = contacts.rows(contacts.area_nm2 >= kept_apart_nm2)
    both = large.rows(is_among(large.first, nodes) & is_among(large.second, nodes))
    return ApartPairs(both.first, both.second, both.first, both.second, np.full(len(both), NO_EDIT))


def _still_apart(pairs: ApartPairs, bodies: Ids) -> ApartPairs:
    """The pairs that may yet be brought together: no side of them is in a body that is none of `bodies` (ascending).

    Of those that one subvolume kept apart the first of two bodies is enough; what people said is kept as it is.
    """
    first, second = ((side == 0) | is_among(side, bodies) for side in (pairs.first_body, pairs.second_body))
    pairs = pairs.rows(first & second)
    said, seen = pairs.rows(pairs.is_said), pairs.rows(~pairs.is_said & (pairs.first_body != pairs.second_body))
    low, high = np.minimum(seen.first_body, seen.second_body), np.maximum(seen.first_body, seen.second_body)
    order = np.lexsort((seen.second, seen.first, high, low))
    low, high = low[order], high[order]
    new = np.ones(len(seen), bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return ApartPairs.joined([said, seen.rows(order[new])])


T = TypeVar("T", OpenCandidates, ApartPairs)


def _renamed(rows: T, names: BodyMapping) -> T:
    return replace(rows, first_body=names.body_of(rows.first_body), second_body=names.body_of(rows.second_body))


def _both_sides(rows: T) -> T:
    """Of equal rows, which follow each other, one, with the bodies that either of them knows."""
    if len(rows) == 0:
        return rows
    keys = [getattr(rows, name) for name in rows.ORDER]
    new = np.ones(len(rows), bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    starts = np.flatnonzero(new)
    first, second = (np.maximum.reduceat(side, starts) for side in (rows.first_body, rows.second_body))
    return replace(rows.rows(starts), first_body=first, second_body=second)


def _rows_of(first: Ids, second: Ids, bodies: Ids) -> Counts:
    """Rows of `bodies` (ascending) of both sides, int64 (N, 2); -1 for one that is outside."""
    sides = np.stack([first, second], axis=1)
    return np.where(sides > 0, np.searchsorted(bodies, sides), -1).astype(np.int64)


def _decided(candidates: OpenCandidates, outcome: npt.NDArray[np.int8], against: Counts, apart: ApartPairs) -> Decided:
    told = (candidates.kind >= CONTESTED) & (outcome != UNDECIDED)
    candidates, outcome, against = candidates.rows(told), outcome[told], against[told]
    # Of a circle of strong candidates one is always redundant, and which one tells nobody anything.
    outcome = np.where((candidates.kind == CONTESTED) & (outcome == ALREADY), JOINED, outcome)
    blamed = np.zeros((2, len(candidates)), np.uint64)
    refused = against >= 0
    blamed[:, refused] = apart.first[against[refused]], apart.second[against[refused]]
    return Decided.joined([Decided(candidates.first, candidates.second, outcome.astype(np.int8), *blamed)])
