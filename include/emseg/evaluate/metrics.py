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
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.evaluate.contingency import ContingencyTable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """Numbers of one comparison. Shares are of voxels, 0 to 1; VI is in bits; 0 is best for VI and the error."""

    voxels: int
    segments: int
    bodies: int
    vi_split: float
    vi_merge: float
    adapted_rand_error: float
    pair_precision: float
    pair_recall: float
    assigned_share: float
    """Voxels with a segment above 0, of all voxels with ground truth."""
    largest_segment_share: float
    """Largest segment above 0, of all assigned voxels; near 1 where everything has run together."""
    best_overlap_share: float
    """Voxels that lie in the best segment of their body: what is right before any proofreading."""

    @property
    def vi(self) -> float:
        """VI split + VI merge, bits."""
        return self.vi_split + self.vi_merge


@dataclass(frozen=True, eq=False)
class Marginals:
    """Rows of a table by place: segment i and body j of each row, and the sizes of both."""

    segment_ids: npt.NDArray[np.uint64]
    body_ids: npt.NDArray[np.uint64]
    segment: npt.NDArray[np.int64]
    body: npt.NDArray[np.int64]
    segment_voxels: npt.NDArray[np.int64]
    body_voxels: npt.NDArray[np.int64]


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


def vi_terms(table: ContingencyTable, sizes: Marginals) -> tuple[Floats, Floats]:
    """What each row adds to VI split and to VI merge, bits; the sum over any set of rows is that set's share."""
    n = table.count.astype(np.float64)
    share = n / n.sum()
    split = share * np.log2(sizes.body_voxels[sizes.body] / n)
    merge = share * np.log2(sizes.segment_voxels[sizes.segment] / n)
    return split, merge


def score(table: ContingencyTable) -> Score:
    """Every whole-volume number of one table; PermanentError for an empty one."""
    sizes = marginals(table)
    split, merge = vi_terms(table, sizes)
    pairs, in_segments, in_bodies = (_pairs(c) for c in (table.count, sizes.segment_voxels, sizes.body_voxels))
    assigned = sizes.segment_voxels[sizes.segment_ids != 0]
    best = np.zeros(len(sizes.body_ids), np.int64)
    np.maximum.at(best, sizes.body[table.segmentation != 0], table.count[table.segmentation != 0])
    return Score(
        voxels=table.voxels,
        segments=len(assigned),
        bodies=len(sizes.body_ids),
        vi_split=float(split.sum()),
        vi_merge=float(merge.sum()),
        adapted_rand_error=1 - _share(2 * pairs, in_segments + in_bodies),
        pair_precision=_share(pairs, in_segments),
        pair_recall=_share(pairs, in_bodies),
        assigned_share=int(assigned.sum()) / table.voxels,
        largest_segment_share=_share(float(assigned.max(initial=0)), float(assigned.sum()), of_none=0.0),
        best_overlap_share=int(best.sum()) / table.voxels,
    )


def _pairs(counts: npt.NDArray[np.int64]) -> float:
    """Ordered pairs of distinct voxels within the groups; float, as the squares of 10^13 voxels exceed 64 bits."""
    n = counts.astype(np.float64)
    return float((n * (n - 1)).sum())


def _share(part: float, whole: float, of_none: float = 1.0) -> float:
    return part / whole if whole else of_none
