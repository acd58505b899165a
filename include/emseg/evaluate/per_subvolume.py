"""The contingency tables of all subvolumes in one: what each subvolume adds to the whole, and the whole of resamples.

Example: two subvolumes hold body 1, which segment 5 fills in the first one and segment 6 in the second one. Each
subvolume by itself is without error. Of the whole, body 1 is cut in halves, and each of the two adds its part to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emseg.array_types import Counts, Floats, Ids
from emseg.config.dataset import Unassigned
from emseg.evaluate.contingency import ContingencyTable, merged
from emseg.evaluate.metrics import Comparison, Marginals, Score, marginals, score_of, vi_terms


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
        of_voxel = (split + merge) / self.whole.count
        bits = np.bincount(self.item, of_voxel[self.pair] * self.count, minlength=len(self.items))
        return bits.astype(np.float64)

    def score(self, times: Counts, unassigned: Unassigned = Unassigned.SEGMENT) -> Score:
        """Score of the whole that has each subvolume so many `times`, in the order of `items`; all once is the whole.

        PermanentError where no subvolume is left.
        """
        weighted = np.bincount(self.pair, times[self.item] * self.count.astype(np.float64), minlength=len(self.whole))
        there = np.flatnonzero(weighted)
        table = self.whole.rows(there)
        table = ContingencyTable(table.segmentation, table.groundtruth, weighted[there].astype(np.int64))
        return score_of(Comparison(table, _sizes(self.sizes, there, table.count), unassigned))


def _first_of_pair(rows: ContingencyTable) -> Counts:
    """1 where a sorted row has another pair than the one before."""
    first = np.ones(len(rows), np.int64)
    same = (rows.segmentation[1:] == rows.segmentation[:-1]) & (rows.groundtruth[1:] == rows.groundtruth[:-1])
    first[1:] -= same
    return first


def _sizes(whole: Marginals, rows: Counts, count: Counts) -> Marginals:
    """The sizes of some rows of a table with other counts; ids that none of them has are left out."""
    segment_ids, segment, segment_voxels = _present(whole.segment_ids, whole.segment[rows], count)
    body_ids, body, body_voxels = _present(whole.body_ids, whole.body[rows], count)
    return Marginals(segment_ids, body_ids, segment, body, segment_voxels, body_voxels)


def _present(ids: Ids, index: Counts, count: Counts) -> tuple[Ids, Counts, Counts]:
    voxels = np.bincount(index, count.astype(np.float64), minlength=len(ids)).astype(np.int64)
    there = voxels > 0
    return ids[there], (np.cumsum(there) - 1)[index], voxels[there]
