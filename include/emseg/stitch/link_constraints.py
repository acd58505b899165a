"""Must-link and cannot-link lists: pairs of supervoxels of which people said that they are one body, or are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from emseg.errors import PermanentError
from emseg.stitch.supervoxels import is_among
from emseg.stitch.votes import Ids


@dataclass(frozen=True, eq=False)
class Links:
    """Pairs of supervoxels, uint64 (N, 2): what people said must be one body, and what must not."""

    must: Ids
    cannot: Ids

    @classmethod
    def none(cls) -> Links:
        """Nobody said anything."""
        return cls(np.empty((0, 2), np.uint64), np.empty((0, 2), np.uint64))

    def cannot_among(self, nodes: Ids) -> Ids:
        """The pairs that must not be one body, of those with both sides in `nodes` (ascending)."""
        return self.cannot[is_among(self.cannot, nodes).all(axis=1)]

    def contradiction(self) -> Ids:
        """The first pair that must not be one body and is one by other pairs, uint64 (2,); empty where there is none.

        Worked example: 1 and 2 are one body, 2 and 3 are one, 3 and 1 are not: 3 and 1.
        """
        nodes, places = np.unique(np.concatenate([self.must, self.cannot]), return_inverse=True)
        one, other = places.reshape(-1, 2)[: len(self.must)].T
        graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(len(nodes), len(nodes)))
        component = connected_components(graph, directed=False)[1]
        first, second = component[places.reshape(-1, 2)[len(self.must) :]].T
        pair: Ids = self.cannot[np.flatnonzero(first == second)[:1]].ravel()
        return pair


def contradicted(doing: str, pair: Ids) -> PermanentError:
    """The error for a pair that `contradiction` found, under the names that its reader knows."""
    return PermanentError(
        doing,
        f"supervoxels {pair[0]} and {pair[1]}",
        "people said that they are two bodies, and other pairs that they joined make one body of them",
        "Take one of these edits back: emseg stitch edits",
    )
