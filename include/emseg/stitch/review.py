"""Questions to a merge ledger: why a body is one, what was refused at its border, what falls apart without a join."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from emseg.array_types import Ids
from emseg.stitch.votes import Votes


def about(ledger: pa.Table, members: Ids) -> pa.Table:
    """The rows that have a side in a body."""
    return ledger.filter(pa.array(np.isin(ledger["first"], members) | np.isin(ledger["second"], members)))


def joins_of(ledger: pa.Table, members: Ids) -> pa.Table:
    """The joined rows inside a body, best evidence first."""
    inside = np.isin(ledger["first"].to_numpy(), members) & np.isin(ledger["second"].to_numpy(), members)
    return _in_order_of_evidence(ledger.filter(pa.array(inside & ledger["joined"].to_numpy())))


def refusals_of(ledger: pa.Table, members: Ids) -> pa.Table:
    """The rows that would have joined a body to something else, most shared voxels first."""
    first, second = (np.isin(ledger[side].to_numpy(), members) for side in ("first", "second"))
    return ledger.filter(pa.array(first ^ second)).sort_by([("overlap_vox", "descending")])


def parked(ledger: pa.Table) -> pa.Table:
    """The joins that wait for a person, most shared voxels first."""
    return ledger.filter(ledger["parked"]).sort_by([("overlap_vox", "descending")])


def row_of(ledger: pa.Table, first: int, second: int) -> pa.Table:
    """The row about two supervoxels, in either order; empty where they never shared a voxel."""
    low, high = (pa.scalar(id_, pa.uint64()) for id_ in sorted((first, second)))
    return ledger.filter(pc.and_(pc.equal(ledger["first"], low), pc.equal(ledger["second"], high)))


def parts_without(ledger: pa.Table, must_link: Ids, members: Ids, first: int, second: int) -> list[Ids]:
    """What a body falls into when one of its joins is taken back: one part where others hold it together.

    `must_link`, uint64 (N, 2), are pairs that people joined; those of other bodies do not matter. Nothing else is
    decided anew: a candidate that was refused because of this join may be taken next time.
    """
    joins = joins_of(ledger, members)
    ends = np.stack([joins["first"].to_numpy(), joins["second"].to_numpy()], axis=1)
    undone = (ends == np.sort(np.array([first, second], np.uint64))).all(axis=1)
    said = must_link[np.isin(must_link, members).all(axis=1)]
    a, b = np.searchsorted(members, np.concatenate([ends[~undone], said])).T
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(members), len(members)))
    _, component = connected_components(graph, directed=False)
    return [members[component == number] for number in np.unique(component)]


def _in_order_of_evidence(rows: pa.Table) -> pa.Table:
    votes = Votes.from_arrow(rows.select(Votes.SCHEMA.names))
    return rows.take(np.lexsort((votes.second, votes.first, -votes.overlap_vox, -votes.iou, rows["weak"].to_numpy())))
