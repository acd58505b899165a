"""From joined votes to bodies: connected components, each named by its smallest supervoxel; and the merge ledger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from emseg.config.dataset import Stitching
from emseg.stitch.modes import REASONS, Decisions, decide
from emseg.stitch.votes import VOTE_SCHEMA, Ids, Votes

MAPPING_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("body", pa.uint64())])
LEDGER_SCHEMA = pa.schema([*VOTE_SCHEMA, ("joined", pa.bool_()), ("reason", pa.string())])


@dataclass(frozen=True, eq=False)
class Mapping:
    """Supervoxels that belong to a body of several, ids ascending. Any other supervoxel is a body of its own."""

    supervoxels: Ids
    bodies: Ids

    def body_of(self, ids: Ids) -> Ids:
        """Body of each id, any shape; ids that were never joined, and 0, are returned unchanged."""
        if len(self.supervoxels) == 0:
            return ids.copy()
        place = np.minimum(np.searchsorted(self.supervoxels, ids), len(self.supervoxels) - 1)
        return np.where(self.supervoxels[place] == ids, self.bodies[place], ids)

    def to_arrow(self) -> pa.Table:
        """Table of `MAPPING_SCHEMA`."""
        return pa.table({"supervoxel": self.supervoxels, "body": self.bodies}, schema=MAPPING_SCHEMA)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Mapping:
        """Mapping of a table of `MAPPING_SCHEMA`."""
        return cls(table["supervoxel"].to_numpy(), table["body"].to_numpy())


@dataclass(frozen=True, eq=False)
class Resolution:
    """The mapping, and the ledger that explains each vote taken or refused (`LEDGER_SCHEMA`)."""

    mapping: Mapping
    ledger: pa.Table
    joined_votes: int


def resolve(votes: Votes, stitching: Stitching, quarantined: Collection[int] = ()) -> Resolution:
    """Join bodies over the whole volume; `quarantined` are the numbers of cells to be careful with.

    The same votes give the same bytes, in whatever order they come.
    """
    decisions = decide(votes, stitching, quarantined)
    mapping = join(votes.first[decisions.joins], votes.second[decisions.joins])
    return Resolution(mapping, _ledger(votes, decisions), int(decisions.joins.sum()))


def join(first: Ids, second: Ids) -> Mapping:
    """Components of the graph whose edges are `first[i] - second[i]`; a body is the smallest supervoxel of its own."""
    nodes, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if len(nodes) == 0:
        return Mapping(nodes, nodes)
    a, b = places[: len(first)], places[len(first) :]
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(nodes), len(nodes)))
    _, component = connected_components(graph, directed=False)
    # Nodes ascend, so the first node met of each component is its smallest supervoxel.
    _, smallest = np.unique(component, return_index=True)
    bodies: npt.NDArray[np.uint64] = nodes[smallest[component]]
    return Mapping(nodes, bodies)


def _ledger(votes: Votes, decisions: Decisions) -> pa.Table:
    reasons = pa.DictionaryArray.from_arrays(pa.array(decisions.reason), pa.array(REASONS)).cast(pa.string())
    columns = [*votes.to_arrow().columns, pa.array(decisions.joins), reasons]
    return pa.Table.from_arrays([*columns], schema=LEDGER_SCHEMA)
