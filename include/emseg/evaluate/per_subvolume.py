"""The contingency tables of all subvolumes in one: what each subvolume adds to the whole and does to it.

Example: two subvolumes hold body 1, which segment 5 fills in the first one and segment 6 in the second one. Each
subvolume by itself is without error. Of the whole, body 1 is cut in halves, and each of the two adds its part to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emseg.array_types import Counts, Floats
from emseg.config.groundtruth import Unassigned
from emseg.evaluate.contingency import ContingencyTable, merged
from emseg.evaluate.marginals import Comparison, Marginals, marginals, vi_terms
from emseg.evaluate.metrics import Score, gradients_of, score_of

_CHUNK_ROWS = 1 << 22
"""Rows whose terms are in memory at a time."""


@dataclass(frozen=True, eq=False)
class PerSubvolume:
    """Tables of subvolumes, one after the other: row by row the index of its pair in `whole`, and of its subvolume.

    Memory: 24 bytes a row of the tables, and 24 a row of the whole.
    """

    items: tuple[str, ...]
    whole: ContingencyTable
    pair: Counts
    item: Counts
    count: Counts

    @classmethod
    def of(cls, tables: Mapping[str, ContingencyTable]) -> PerSubvolume:
        """Tables of disjoint voxels, by subvolume. A subvolume without ground truth is left out."""
        named = {name: table for name, table in sorted(tables.items()) if len(table)}
        item = np.repeat(np.arange(len(named)), [len(table) for table in named.values()])
        rows = ContingencyTable.concatenated([ContingencyTable.none(), *named.values()])
        whole = merged([rows])
        order = np.lexsort((rows.groundtruth, rows.segmentation))
        starts = _first_of_pair(rows.rows(order))
        pair = np.empty(len(rows), np.int64)
        pair[order] = np.cumsum(starts) - 1
        return cls(tuple(named), whole, pair, item, rows.count)

    @cached_property
    def sizes(self) -> Marginals:
        """Sizes of segments and bodies of the whole. PermanentError where there is no voxel."""
        return marginals(self.whole)

    def vi(self, unassigned: Unassigned = Unassigned.SEGMENT) -> Floats:
        """Bits of VI that each subvolume adds to that of the whole, in the order of `items`; they sum to it."""
        split, merge = vi_terms(self.whole, self.sizes, unassigned)
        return self._summed((split + merge) / self.whole.count)

    def score(self, unassigned: Unassigned = Unassigned.SEGMENT) -> Score:
        """Score of the whole. PermanentError where there is no voxel."""
        return score_of(Comparison(self.whole, self.sizes, unassigned))

    def influences(self, unassigned: Unassigned = Unassigned.SEGMENT) -> dict[str, Floats]:
        """How much each number that has a gradient would rise to first order if a subvolume counted twice.

        By name, float64 (subvolumes,), in the order of `items`. PermanentError where there is no voxel.
        """
        found = gradients_of(Comparison(self.whole, self.sizes, unassigned))
        return {name: self._summed(gradient) for name, gradient in found.items()}

    def _summed(self, of_voxel: Floats) -> Floats:
        """The sum over the voxels of each subvolume of what the rows of `whole` say."""
        summed = np.zeros(len(self.items))
        for start in range(0, len(self.count), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            weights = of_voxel[self.pair[rows]] * self.count[rows]
            summed += np.bincount(self.item[rows], weights, minlength=len(self.items))
        return summed


def _first_of_pair(rows: ContingencyTable) -> Counts:
    """1 where a sorted row has another pair than the one before."""
    first = np.ones(len(rows), np.int64)
    same = (rows.segmentation[1:] == rows.segmentation[:-1]) & (rows.groundtruth[1:] == rows.groundtruth[:-1])
    first[1:] -= same
    return first
