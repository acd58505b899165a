"""What metrics need of a contingency table: the sizes of its segments and bodies, and what each row adds to a number.

The letters are those of `emseg.evaluate.metrics`: n_ij voxels shared by segment i and body j, a_i and b_j their sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emseg.array_types import Counts, Floats, Ids
from emseg.config.groundtruth import Unassigned
from emseg.errors import PermanentError
from emseg.evaluate.contingency import ContingencyTable


@dataclass(frozen=True, eq=False)
class Marginals:
    """Ids and voxels of the segments and bodies of a table, and for each of its rows the index of both."""

    segment_ids: Ids
    body_ids: Ids
    segment: Counts
    body: Counts
    segment_voxels: Counts
    body_voxels: Counts


def marginals(table: ContingencyTable) -> Marginals:
    """Sizes of segments and bodies. PermanentError for an empty table, for which no score is defined."""
    if len(table) == 0:
        raise PermanentError(
            "scoring a segmentation",
            "empty contingency table",
            "no voxel has ground truth",
            "Check that segmentation and ground truth cover the same region, or leave this region out",
        )
    segment_ids, segment = np.unique(table.segmentation, return_inverse=True)
    body_ids, body = np.unique(table.groundtruth, return_inverse=True)
    segment_voxels, body_voxels = np.zeros(len(segment_ids), np.int64), np.zeros(len(body_ids), np.int64)
    np.add.at(segment_voxels, segment, table.count)
    np.add.at(body_voxels, body, table.count)
    return Marginals(segment_ids, body_ids, segment, body, segment_voxels, body_voxels)


def vi_terms(table: ContingencyTable, sizes: Marginals, unassigned: Unassigned) -> tuple[Floats, Floats]:
    """What each row adds to VI split and to VI merge, bits; the sum over any set of rows is that set's share."""
    n = table.count.astype(np.float64)
    share = n / n.sum()
    segment_voxels = sizes.segment_voxels[sizes.segment].astype(np.float64)
    if unassigned is Unassigned.SINGLETONS:
        n[table.segmentation == 0] = segment_voxels[table.segmentation == 0] = 1
    split = share * np.log2(sizes.body_voxels[sizes.body] / n)
    merge = share * np.log2(segment_voxels / n)
    return split, merge


@dataclass(frozen=True, eq=False)
class Comparison:
    """A contingency table, and what several metrics need of it."""

    table: ContingencyTable
    sizes: Marginals
    unassigned: Unassigned

    @cached_property
    def vi_terms(self) -> tuple[Floats, Floats]:
        """What each row adds to VI split and to VI merge, bits."""
        return vi_terms(self.table, self.sizes, self.unassigned)

    @cached_property
    def assigned(self) -> Counts:
        """Voxels of each segment above 0."""
        assigned: Counts = self.sizes.segment_voxels[self.sizes.segment_ids != 0]
        return assigned

    @cached_property
    def best(self) -> Counts:
        """For each body the voxels of it that lie in its best segment above 0."""
        best, assigned = np.zeros(len(self.sizes.body_ids), np.int64), self.table.segmentation != 0
        np.maximum.at(best, self.sizes.body[assigned], self.table.count[assigned])
        return best

    @property
    def in_pairs(self) -> npt.NDArray[np.bool_]:
        """Rows whose voxels can share a segment: all, or all but those of segment 0."""
        single = self.unassigned is Unassigned.SINGLETONS
        return self.table.segmentation != 0 if single else np.ones(len(self.table), bool)

    @cached_property
    def pairs(self) -> tuple[float, float, float]:
        """Voxel pairs that share segment and body, that share a segment, and that share a body."""
        segments = self.assigned if self.unassigned is Unassigned.SINGLETONS else self.sizes.segment_voxels
        return _pairs(self.table.count[self.in_pairs]), _pairs(segments), _pairs(self.sizes.body_voxels)


def share(part: float, whole: float, of_none: float = 1.0) -> float:
    """`part / whole`, or `of_none` where the whole is 0."""
    return part / whole if whole else of_none


def _pairs(counts: Counts) -> float:
    """Ordered pairs of distinct voxels within the groups; float, as the squares of 10^13 voxels exceed 64 bits."""
    n = counts.astype(np.float64)
    return float((n * (n - 1)).sum())
