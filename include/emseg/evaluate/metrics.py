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
which is a field of `emseg.config.gate.GatePolicy`. A number with a gradient (`emseg.evaluate.gradients`) has an
interval, and can be compared with that of the served release.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from emseg.array_types import Floats
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import gradients
from emseg.evaluate.contingency import ContingencyTable
from emseg.evaluate.marginals import Comparison, marginals, share


@dataclass(frozen=True)
class Gated:
    """How people read a number, and the limit that the gate holds it to: `limit_name` ends in `_max` or `_min`."""

    title: str
    unit: str
    limit_name: str


def metric(
    compute: Callable[[Comparison], float],
    gated: Gated | None = None,
    gradient: Callable[[Comparison], Floats] | None = None,
) -> Any:
    """A field of `Score`; without a `gradient` nothing tells how sure it is."""
    return field(metadata={"compute": compute, "gated": gated, "gradient": gradient})


@dataclass(frozen=True)
class Score:
    """Numbers of one comparison. Shares are of voxels, 0 to 1; VI is in bits; 0 is best for VI and the error."""

    voxels: int = metric(lambda c: c.table.voxels)
    segments: int = metric(lambda c: len(c.assigned))
    bodies: int = metric(lambda c: len(c.sizes.body_ids))
    vi_split: float = metric(
        lambda c: float(c.vi_terms[0].sum()), Gated("VI split", "bits", "vi_split_max"), gradients.vi_split
    )
    vi_merge: float = metric(
        lambda c: float(c.vi_terms[1].sum()), Gated("VI merge", "bits", "vi_merge_max"), gradients.vi_merge
    )
    adapted_rand_error: float = metric(
        lambda c: 1 - share(2 * c.pairs[0], c.pairs[1] + c.pairs[2]),
        Gated("Adapted Rand error", "", "are_max"),
        gradients.adapted_rand_error,
    )
    pair_precision: float = metric(lambda c: share(c.pairs[0], c.pairs[1]))
    pair_recall: float = metric(lambda c: share(c.pairs[0], c.pairs[2]))
    largest_segment_share: float = metric(
        lambda c: share(float(c.assigned.max(initial=0)), float(c.assigned.sum()), of_none=0.0),
        Gated("Largest body, share of labelled voxels", "", "largest_body_share_max"),
        gradients.largest_segment_share,
    )
    """Largest segment above 0, of all assigned voxels; near 1 where everything has run together."""
    assigned_share: float = metric(
        lambda c: int(c.assigned.sum()) / c.table.voxels,
        Gated("Labelled share of the ground truth", "", "assigned_share_min"),
        gradients.assigned_share,
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


def gradients_of(comparison: Comparison) -> dict[str, Floats]:
    """The gradient of each number that has one, by name, and of `vi`; each float64 (rows of the table,)."""
    computed = ((each.name, each.metadata["gradient"]) for each in fields(Score))
    found = {name: gradient(comparison) for name, gradient in computed if gradient is not None}
    return {**found, "vi": found["vi_split"] + found["vi_merge"]}


def score(table: ContingencyTable, unassigned: Unassigned = Unassigned.SEGMENT) -> Score:
    """Every whole-volume number of one table; PermanentError for an empty one."""
    return score_of(Comparison(table, marginals(table), unassigned))


def score_of(comparison: Comparison) -> Score:
    """The same, of a comparison."""
    return Score(**{each.name: each.metadata["compute"](comparison) for each in fields(Score)})
