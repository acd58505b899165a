"""From votes to bodies in one process: what phase `resolve` does region by region, done at once.

The same evidence gives the same bytes, in whatever order it comes and however the volume is cut into regions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from emseg.array_types import Ids
from emseg.config.stitching import Stitching
from emseg.stitch.body_mapping import BodyMapping
from emseg.stitch.candidates import is_weak, judged
from emseg.stitch.joining import contesting, evidence_of, join_region, strong_only
from emseg.stitch.ledger import ledger_of
from emseg.stitch.pair_constraints import PairConstraints, contradicted
from emseg.stitch.supervoxels import Contacts, Supervoxels
from emseg.stitch.votes import Votes, VoxelSize


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that resolution knows: votes, supervoxels and contacts of all subvolumes, and which cells are quarantined."""

    votes: Votes
    supervoxels: Supervoxels = field(default_factory=Supervoxels.none)
    contacts: Contacts = field(default_factory=Contacts.none)
    quarantined: Collection[int] = ()


@dataclass(frozen=True, eq=False)
class Resolution:
    """The mapping; the ledger that explains each vote taken or refused (`LEDGER_SCHEMA`); and what was counted."""

    mapping: BodyMapping
    ledger: pa.Table
    counts: dict[str, int]


def resolve(
    evidence: Evidence,
    stitching: Stitching,
    voxel_size_nm: VoxelSize,
    pair_constraints: PairConstraints | None = None,
    undone: Ids | None = None,
) -> Resolution:
    """Join bodies over the whole volume.

    `pair_constraints` are what people said of pairs of supervoxels; `undone`, uint64 (N, 2), are votes that they took
    back. PermanentError where the constraints contradict each other.
    """
    said = pair_constraints or PairConstraints.none()
    if len(pair := said.contradiction()):
        raise contradicted("resolving bodies", pair)
    found = judged(evidence.votes, stitching, voxel_size_nm, evidence.quarantined, undone)
    candidates = found.candidates
    weak = is_weak(candidates, found.disputed)
    whole = evidence_of(
        candidates,
        weak,
        evidence.supervoxels,
        evidence.contacts,
        said,
        stitching.constraints.kept_apart_nm2,
        is_inside=lambda ids: ids > 0,
    )
    if len(said.cannot_link):
        strong = join_region(strong_only(whole), stitching.constraints, voxel_size_nm)
        whole = contesting(whole, members(strong.names, strong.contested))
    joining = join_region(whole, stitching.constraints, voxel_size_nm)
    ledger = ledger_of(found, weak, joining.decided)
    return Resolution(joining.names, ledger, join_counts(ledger, joining.names, [evidence.contacts]))


def members(names: BodyMapping, bodies: Ids) -> Ids:
    """Supervoxels of some bodies of several, ascending."""
    return names.supervoxels[np.isin(names.bodies, bodies)]


def join_counts(ledger: pa.Table, mapping: BodyMapping, contacts: Iterable[Contacts]) -> dict[str, int]:
    """Candidates by what became of them; `self_touching` are pairs of one subvolume that touch and are one body now."""
    joined, parked = (int(ledger[name].to_numpy().sum()) for name in ("joined", "parked"))
    kept_apart = ledger.num_rows - ledger["apart_first"].null_count
    return {
        "candidates": joined + parked + kept_apart,
        "joined": joined,
        "parked": parked,
        "kept_apart": kept_apart,
        "mapped": len(mapping),
        "self_touching": sum(int((mapping.body_of(c.first) == mapping.body_of(c.second)).sum()) for c in contacts),
    }
