"""Scores body by body: which ground-truth bodies are cut apart, which segments join several, worst first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.evaluate.contingency import ContingencyTable
from emseg.evaluate.metrics import Floats, Marginals, marginals, vi_terms

FRAGMENTS_SHARE = 0.9
"""A body's fragments are the fewest partners that hold this share of it: single voxels at borders do not count."""


@dataclass(frozen=True, eq=False)
class BodyScores:
    """Columns of equal length, one row a body, sorted by `vi_split + vi_merge` falling, then by id.

    For ground-truth bodies the partners are segments; for segments they are ground-truth bodies.
    """

    ids: npt.NDArray[np.uint64]
    voxels: npt.NDArray[np.int64]
    vi_split: Floats
    """Bits this body adds to VI split of the whole; the column sums to it."""
    vi_merge: Floats
    """Bits this body adds to VI merge of the whole; the column sums to it."""
    best_partner: npt.NDArray[np.uint64]
    """Partner that shares most voxels; the smaller id among equals."""
    best_share: Floats
    """Share of the body's voxels in its best partner, 0 to 1."""
    fragments: npt.NDArray[np.int64]
    """Fewest partners that together hold 90 % of the body."""

    def __len__(self) -> int:
        return len(self.ids)

    def worst(self, rows: int) -> BodyScores:
        """The first `rows` rows."""
        return BodyScores(*(getattr(self, name)[:rows] for name in self.__dataclass_fields__))


def per_body(table: ContingencyTable) -> BodyScores:
    """One row a ground-truth body. A body cut in equal halves of a volume it fills adds 1 bit of VI split."""
    sizes = marginals(table)
    return _grouped(table, sizes, sizes.body_ids, sizes.body, sizes.body_voxels, table.segmentation)


def per_segment(table: ContingencyTable) -> BodyScores:
    """One row a segment, 0 (unassigned) included. A segment that joins two equal bodies and fills the volume adds 1
    bit of VI merge.
    """
    sizes = marginals(table)
    return _grouped(table, sizes, sizes.segment_ids, sizes.segment, sizes.segment_voxels, table.groundtruth)


def _grouped(
    table: ContingencyTable,
    sizes: Marginals,
    ids: npt.NDArray[np.uint64],
    group: npt.NDArray[np.int64],
    voxels: npt.NDArray[np.int64],
    partner: npt.NDArray[np.uint64],
) -> BodyScores:
    split, merge = (_summed(terms, group, len(ids)) for terms in vi_terms(table, sizes))
    order = np.lexsort((partner, -table.count, group))
    first = np.searchsorted(group[order], np.arange(len(ids)))
    best = order[first]
    best_share = table.count[best] / voxels
    fragments = _fragments(table.count[order], first, voxels)
    scores = BodyScores(ids, voxels, split, merge, partner[best], best_share, fragments)
    worst_first = np.lexsort((ids, -(split + merge)))
    return BodyScores(*(getattr(scores, name)[worst_first] for name in BodyScores.__dataclass_fields__))


def _summed(values: Floats, group: npt.NDArray[np.int64], groups: int) -> Floats:
    total = np.zeros(groups, np.float64)
    np.add.at(total, group, values)
    return total


def _fragments(
    count: npt.NDArray[np.int64], first: npt.NDArray[np.int64], voxels: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Partners, largest first, until `FRAGMENTS_SHARE` is held; `count` is sorted by group, then falling."""
    before = np.cumsum(count) - count
    group = np.repeat(np.arange(len(first)), np.diff(first, append=len(count)))
    needed = (before - before[first][group]) < FRAGMENTS_SHARE * voxels[group]
    return np.bincount(group[needed], minlength=len(first)).astype(np.int64)
