"""Must-link and cannot-link pairs: supervoxels of which people said that they are one body, or are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from emseg.array_types import Ids
from emseg.errors import PermanentError
from emseg.sorted_ids import is_among


@dataclass(frozen=True, eq=False)
class PairConstraints:
    """Pairs of supervoxels, uint64 (N, 2): `must_link` must be one body, `cannot_link` must not."""

    must_link: Ids
    cannot_link: Ids

    @classmethod
    def none(cls) -> PairConstraints:
        """Nobody said anything."""
        return cls(np.empty((0, 2), np.uint64), np.empty((0, 2), np.uint64))

    def cannot_link_among(self, nodes: Ids) -> Ids:
        """The cannot-link pairs that have both sides in `nodes` (ascending)."""
        return self.cannot_link[is_among(self.cannot_link, nodes).all(axis=1)]

    def contradiction(self) -> Ids:
        """The first cannot-link pair that must-link pairs make one body, uint64 (2,); empty where there is none.

        Worked example: must-link 1 and 2, 2 and 3; cannot-link 3 and 1: the answer is 3 and 1.
        """
        nodes, indices = np.unique(np.concatenate([self.must_link, self.cannot_link]), return_inverse=True)
        one, other = indices.reshape(-1, 2)[: len(self.must_link)].T
        graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(len(nodes), len(nodes)))
        component = connected_components(graph, directed=False)[1]
        first, second = component[indices.reshape(-1, 2)[len(self.must_link) :]].T
        pair: Ids = self.cannot_link[np.flatnonzero(first == second)[:1]].ravel()
        return pair


def contradicted(doing: str, pair: Ids) -> PermanentError:
    """The error for a pair that `contradiction` found, under the names that its reader knows."""
    return PermanentError(
        doing,
        f"supervoxels {pair[0]} and {pair[1]}",
        "people said that they are two bodies, and other pairs that they joined make one body of them",
        "Take one of these edits back: emseg stitch edits --dataset NAME --forget NUMBER",
    )
