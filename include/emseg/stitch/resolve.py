"""From votes to bodies: candidates by the mode's rules, joins under constraints, and the ledger that explains each.

A body is named by its smallest supervoxel. The same evidence gives the same bytes, in whatever order it comes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

import numpy as np
import pyarrow as pa

from emseg.array_types import Counts, Flags, Ids
from emseg.codec.column_table import StoredTable
from emseg.config.dataset import Stitching
from emseg.sorted_ids import find
from emseg.stitch.constrained_union import ALREADY, JOINED
from emseg.stitch.constraints import OUTCOMES, Joining, is_weak, join_constrained
from emseg.stitch.modes import REFUSALS, Proposals, decide
from emseg.stitch.pair_constraints import PairConstraints
from emseg.stitch.supervoxels import Contacts, Supervoxels
from emseg.stitch.votes import VOTE_SCHEMA, Votes, VoxelSize

MAPPING_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("body", pa.uint64())])
LEDGER_SCHEMA = pa.schema(
    [
        *VOTE_SCHEMA,
        ("weak", pa.bool_()),
        ("rank", pa.int64()),
        ("joined", pa.bool_()),
        ("parked", pa.bool_()),
        ("reason", pa.string()),
        ("apart_first", pa.uint64()),
        ("apart_second", pa.uint64()),
    ]
)
DROPPED = "dropped by a person"
_REASONS = (*REFUSALS, DROPPED, *OUTCOMES)
_PARKED = "parked"


@dataclass(frozen=True, eq=False)
class BodyMapping(StoredTable):
    """Supervoxels that belong to a body of several, ids ascending. Any other supervoxel is a body of its own."""

    SCHEMA: ClassVar[pa.Schema] = MAPPING_SCHEMA

    supervoxels: Ids
    bodies: Ids

    def body_of(self, ids: Ids) -> Ids:
        """Body of each id, any shape; ids that were never joined, and 0, are returned unchanged."""
        if len(self.supervoxels) == 0:
            return ids.copy()
        row, is_mapped = find(ids, self.supervoxels)
        return np.where(is_mapped, self.bodies[row], ids)

    @classmethod
    def of_components(cls, nodes: Ids, component: Counts) -> BodyMapping:
        """Bodies of `nodes` (ascending) from the number of the component of each; single ones are left out."""
        smallest = np.full(len(nodes), len(nodes), np.int64)
        np.minimum.at(smallest, component, np.arange(len(nodes)))  # nodes ascend, so the first is the smallest id
        several = np.bincount(component, minlength=len(nodes))[component] > 1
        return cls(nodes[several], nodes[smallest[component[several]]])


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
    dropped: Ids | None = None,
) -> Resolution:
    """Join bodies over the whole volume.

    `pair_constraints` are what people said of pairs of supervoxels; `dropped`, uint64 (N, 2), are votes that they took
    back. `python -m benchmarks resolution` prints the memory.
    """
    votes = evidence.votes
    proposals = decide(votes, stitching, voxel_size_nm, evidence.quarantined)
    is_dropped = _is_dropped(votes, dropped)
    taken = proposals.taken & ~is_dropped
    floor_vox = stitching.min_overlap_nm3 / prod(voxel_size_nm)
    candidates = votes.rows(taken)
    joining = join_constrained(
        candidates,
        is_weak(candidates, votes, floor_vox),
        evidence.supervoxels,
        evidence.contacts,
        pair_constraints or PairConstraints.none(),
        stitching.constraints,
        voxel_size_nm,
    )
    mapping = BodyMapping.of_components(joining.nodes, joining.component)
    ledger = _ledger(votes, proposals, taken, is_dropped, joining)
    return Resolution(mapping, ledger, _counts(ledger, mapping, evidence.contacts))


def _is_dropped(votes: Votes, dropped: Ids | None) -> Flags:
    if dropped is None or len(dropped) == 0:
        return np.zeros(len(votes), bool)
    pairs = np.sort(dropped, axis=1)
    known = pa.table({"first": pairs[:, 0], "second": pairs[:, 1], "dropped": np.ones(len(pairs), bool)})
    rows = pa.table({"first": votes.first, "second": votes.second, "row": np.arange(len(votes))})
    found = rows.join(known, ["first", "second"], join_type="inner")["row"].to_numpy()
    flags = np.zeros(len(votes), bool)
    flags[found] = True
    return flags


def _ledger(votes: Votes, proposals: Proposals, taken: Flags, is_dropped: Flags, joining: Joining) -> pa.Table:
    rows = len(votes)
    reason = proposals.refusal.astype(np.int8)
    reason[is_dropped] = _REASONS.index(DROPPED)
    reason[taken] = joining.outcome + (len(REFUSALS) + 1)
    weak, rank = np.zeros(rows, bool), np.full(rows, -1, np.int64)
    apart = np.zeros((rows, 2), np.uint64)
    weak[taken], rank[taken], apart[taken] = joining.weak, joining.rank, joining.against
    joined = np.zeros(rows, bool)
    joined[taken] = (joining.outcome == JOINED) | (joining.outcome == ALREADY)
    parked = np.array([text.startswith(_PARKED) for text in _REASONS])[reason]
    columns = [
        *votes.to_arrow().columns,
        pa.array(weak),
        pa.array(rank, mask=~taken),
        pa.array(joined),
        pa.array(parked),
        pa.DictionaryArray.from_arrays(pa.array(reason), pa.array(_REASONS)).cast(pa.string()),
        *(pa.array(side, mask=side == 0) for side in apart.T),
    ]
    return pa.Table.from_arrays(columns, schema=LEDGER_SCHEMA)


def _counts(ledger: pa.Table, mapping: BodyMapping, contacts: Contacts) -> dict[str, int]:
    """Candidates by what became of them; `self_touching` are pairs of one subvolume that touch and are one body now."""
    parked, joined = ledger["parked"].to_numpy(), ledger["joined"].to_numpy()
    return {
        "candidates": int(ledger.num_rows - ledger["rank"].null_count),
        "joined": int(joined.sum()),
        "parked": int(parked.sum()),
        "kept_apart": int(ledger.num_rows - ledger["apart_first"].null_count),
        "mapped": len(mapping),
        "self_touching": int((mapping.body_of(contacts.first) == mapping.body_of(contacts.second)).sum()),
    }
