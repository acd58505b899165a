"""Scores of a segmentation against ground truth, for the whole, computed from a contingency table alone.

With n_ij voxels shared by segment i and ground-truth body j, a_i and b_j their sums, N all voxels with ground truth:

- VI split = H(S|G) = sum_ij n_ij/N log2(b_j/n_ij): bits lost to cutting bodies apart (over-segmentation);
- VI merge = H(G|S) = sum_ij n_ij/N log2(a_i/n_ij): bits lost to joining bodies (under-segmentation).
  Meila, "Comparing clusterings: an information based distance", J. Multivariate Analysis 2007.
- Pair precision = sum n_ij (n_ij - 1) / sum a_i (a_i - 1): of the voxel pairs that share a segment, those that
  share a body; recall has b_j in place of a_i; adapted Rand error = 1 - harmonic mean of the two.
  Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms", Front. Neuroanat. 2015.

Worked example, 8 voxels: body 1 is cut in segments of 3 and 1, body 2 shares the segment of the 1 with its 4.
VI split = 3/8 log2(4/3) + 1/8 log2(4) = 0.4056; VI merge = 1/8 log2(5) + 4/8 log2(5/4) = 0.4512;
precision = (6 + 0 + 12) / (6 + 20) = 0.6923, recall = 18 / 24 = 0.75, error = 0.28.

Segment 0 (unassigned voxels) is a segment like any other, or each of its voxels is one of its own (`Unassigned`). In
the second case n_ij and a_i of its rows are 1 inside the logarithms, and its voxels are in no pair of one segment.

A new metric is a field of `Score`, with what computes it. If the gate is to judge it, the field also names a limit,
which is a field of `emseg.config.dataset.GatePolicy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from emseg.array_types import Counts, Floats, Ids
from emseg.config.dataset import Unassigned
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

    @cached_property
    def pairs(self) -> tuple[float, float, float]:
        """Voxel pairs that share segment and body, that share a segment, and that share a body."""
        shared, segments = self.table.count, self.sizes.segment_voxels
        if self.unassigned is Unassigned.SINGLETONS:
            shared, segments = shared[self.table.segmentation != 0], self.assigned
        return _pairs(shared), _pairs(segments), _pairs(self.sizes.body_voxels)


@dataclass(frozen=True)
class Gated:
    """How people read a number, and the limit that the gate holds it to: `limit_name` ends in `_max` or `_min`."""

    title: str
    unit: str
    limit_name: str


def metric(compute: Callable[[Comparison], float], gated: Gated | None = None) -> Any:
    """A field of `Score`."""
    return field(metadata={"compute": compute, "gated": gated})


@dataclass(frozen=True)
class Score:
    """Numbers of one comparison. Shares are of voxels, 0 to 1; VI is in bits; 0 is best for VI and the error."""

    voxels: int = metric(lambda c: c.table.voxels)
    segments: int = metric(lambda c: len(c.assigned))
    bodies: int = metric(lambda c: len(c.sizes.body_ids))
    vi_split: float = metric(lambda c: float(c.vi_terms[0].sum()), Gated("VI split", "bits", "vi_split_max"))
    vi_merge: float = metric(lambda c: float(c.vi_terms[1].sum()), Gated("VI merge", "bits", "vi_merge_max"))
    adapted_rand_error: float = metric(
        lambda c: 1 - _share(2 * c.pairs[0], c.pairs[1] + c.pairs[2]), Gated("Adapted Rand error", "", "are_max")
    )
    pair_precision: float = metric(lambda c: _share(c.pairs[0], c.pairs[1]))
    pair_recall: float = metric(lambda c: _share(c.pairs[0], c.pairs[2]))
    largest_segment_share: float = metric(
        lambda c: _share(float(c.assigned.max(initial=0)), float(c.assigned.sum()), of_none=0.0),
        Gated("Largest body, share of labelled voxels", "", "largest_body_share_max"),
    )
    """Largest segment above 0, of all assigned voxels; near 1 where everything has run together."""
    assigned_share: float = metric(
        lambda c: int(c.assigned.sum()) / c.table.voxels,
        Gated("Labelled share of the ground truth", "", "assigned_share_min"),
    )
    """Voxels with a segment above 0, of all voxels with ground truth."""
    best_overlap_share: float = metric(lambda c: int(c.best.sum()) / c.table.voxels)
    """Voxels that lie in the best segment of their body: what is right before any proofreading."""

    @property
    def vi(self) -> float:
        """VI split + VI merge, bits."""
        return self.vi_split + self.vi_merge


def gated_metrics() -> Mapping[str, Gated]:
    """The numbers of a `Score` that the gate judges, by name, in their order."""
    return {each.name: each.metadata["gated"] for each in fields(Score) if each.metadata["gated"]}


def score(table: ContingencyTable, unassigned: Unassigned = Unassigned.SEGMENT) -> Score:
    """Every whole-volume number of one table; PermanentError for an empty one."""
    return score_of(Comparison(table, marginals(table), unassigned))


def score_of(comparison: Comparison) -> Score:
    """The same, of a comparison."""
    return Score(**{each.name: each.metadata["compute"](comparison) for each in fields(Score)})


def _pairs(counts: Counts) -> float:
    """Ordered pairs of distinct voxels within the groups; float, as the squares of 10^13 voxels exceed 64 bits."""
    n = counts.astype(np.float64)
    return float((n * (n - 1)).sum())


def _share(part: float, whole: float, of_none: float = 1.0) -> float:
    return part / whole if whole else of_none
