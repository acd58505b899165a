"""Scores body by body: which ground-truth bodies are cut apart, which segments join several, worst first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Floats, Ids
from emseg.codec.column_table import ColumnTable
from emseg.config.groundtruth import Unassigned
from emseg.evaluate.contingency import ContingencyTable
from emseg.evaluate.marginals import marginals, vi_terms

FRAGMENTS_SHARE = 0.9
"""A body's fragments are the fewest partners that hold this share of it: single voxels at borders do not count."""


@dataclass(frozen=True, eq=False)
class BodyScores(ColumnTable):
    """One row a body, sorted by `vi_split + vi_merge` falling, then by id.

    For ground-truth bodies the partners are segments; for segments they are ground-truth bodies.
    """

    ids: Ids
    voxels: Counts
    vi_split: Floats
    """Bits this body adds to VI split of the whole; the column sums to it."""
    vi_merge: Floats
    """Bits this body adds to VI merge of the whole; the column sums to it."""
    best_partner: Ids
    """Partner that shares most voxels; the smaller id among equals."""
    best_share: Floats
    """Share of the body's voxels in its best partner, 0 to 1."""
    fragments: Counts
    """Fewest partners that together hold 90 % of the body; segment 0 is one partner, whatever it counts as."""

    def worst(self, rows: int) -> BodyScores:
        """The first `rows` rows."""
        return self.rows(slice(rows))


def per_body(table: ContingencyTable, unassigned: Unassigned = Unassigned.SEGMENT) -> BodyScores:
    """One row a ground-truth body. A body cut in equal halves of a volume it fills adds 1 bit of VI split."""
    sizes = marginals(table)
    terms = vi_terms(table, sizes, unassigned)
    return _grouped(table, terms, sizes.body_ids, sizes.body, sizes.body_voxels, table.segmentation)


def per_segment(table: ContingencyTable, unassigned: Unassigned = Unassigned.SEGMENT) -> BodyScores:
    """One row a segment, 0 (unassigned) included. A segment that joins two equal bodies and fills the volume adds 1
    bit of VI merge.
    """
    sizes = marginals(table)
    terms = vi_terms(table, sizes, unassigned)
    return _grouped(table, terms, sizes.segment_ids, sizes.segment, sizes.segment_voxels, table.groundtruth)


def _grouped(
    table: ContingencyTable,
    vi: tuple[Floats, Floats],
    ids: Ids,
    group: Counts,
    voxels: Counts,
    partner: Ids,
) -> BodyScores:
    split, merge = (_summed(terms, group, len(ids)) for terms in vi)
    order = np.lexsort((partner, -table.count, group))
    first = np.searchsorted(group[order], np.arange(len(ids)))
    best = order[first]
    best_share = table.count[best] / voxels
    fragments = _fragments(table.count[order], first, voxels)
    scores = BodyScores(ids, voxels, split, merge, partner[best], best_share, fragments)
    return scores.rows(np.lexsort((ids, -(split + merge))))


def _summed(values: Floats, group: Counts, groups: int) -> Floats:
    total = np.zeros(groups, np.float64)
    np.add.at(total, group, values)
    return total


def _fragments(count: Counts, first: Counts, voxels: Counts) -> Counts:
    """Partners, largest first, until `FRAGMENTS_SHARE` is held; `count` is sorted by group, then falling."""
    before = np.cumsum(count) - count
    group = np.repeat(np.arange(len(first)), np.diff(first, append=len(count)))
    needed = (before - before[first][group]) < FRAGMENTS_SHARE * voxels[group]
    return np.bincount(group[needed], minlength=len(first)).astype(np.int64)
