"""How much each number of a score moves with one voxel more in a row of the table: its partial derivatives.

Example: in a volume of 8 voxels of which 6 are labelled, the labelled share is 0.75. One labelled voxel more gives 7/9,
which is 0.028 more; the gradient of a labelled row says (1 - 0.75) / 8 = 0.031. So what a set of voxels does to a
number is, to first order, the sum of the gradients of their rows: `PerSubvolume.influences` sums them by subvolume.

The letters are those of `emseg.evaluate.metrics`; N counts all voxels. In an entropy the sizes stand in the logarithms
too, but what moves there adds up to nothing.
"""

from __future__ import annotations

from math import log

import numpy as np

from emseg.array_types import Floats
from emseg.config.groundtruth import Unassigned
from emseg.evaluate.marginals import Comparison, share


def vi_split(c: Comparison) -> Floats:
    """`(log2(b_j / n_ij) - VI split) / N`; bits a voxel. A voxel that is a segment of its own makes its body larger."""
    found = _mean_like(c.vi_terms[0] / c.table.count * c.table.voxels, c)
    if c.unassigned is Unassigned.SINGLETONS:
        found += (c.table.segmentation == 0) / (log(2) * c.table.voxels)
    return found


def vi_merge(c: Comparison) -> Floats:
    """`(log2(a_i / n_ij) - VI merge) / N`; bits a voxel."""
    return _mean_like(c.vi_terms[1] / c.table.count * c.table.voxels, c)


def adapted_rand_error(c: Comparison) -> Floats:
    """Quotient rule on the pairs; a voxel more in a group of n makes 2 n - 1 pairs more, as they are n (n - 1)."""
    shared, segments, bodies = c.pairs
    if segments + bodies == 0:
        return np.zeros(len(c.table))
    more_shared = np.where(c.in_pairs, 2.0 * c.table.count - 1, 0)
    more_segments = np.where(c.in_pairs, 2.0 * c.sizes.segment_voxels[c.sizes.segment] - 1, 0)
    more = more_segments + 2.0 * c.sizes.body_voxels[c.sizes.body] - 1
    moved: Floats = -2 * (more_shared * (segments + bodies) - shared * more) / (segments + bodies) ** 2
    return moved


def largest_segment_share(c: Comparison) -> Floats:
    """`([row is of the largest segment] - share) / labelled voxels` for labelled rows, else 0."""
    labelled, largest = float(c.assigned.sum()), float(c.assigned.max(initial=0))
    assigned = c.table.segmentation != 0
    if labelled == 0:
        return np.zeros(len(c.table))
    of_largest = c.sizes.segment == np.argmax(np.where(c.sizes.segment_ids != 0, c.sizes.segment_voxels, -1))
    return np.where(assigned, of_largest - share(largest, labelled), 0) / labelled


def assigned_share(c: Comparison) -> Floats:
    """`([row is labelled] - share) / N`."""
    return _mean_like((c.table.segmentation != 0).astype(np.float64), c)


def _mean_like(of_row: Floats, c: Comparison) -> Floats:
    """Gradient of a mean over voxels of what each row says: the more it is above the mean, the more it raises it."""
    mean = float((of_row * c.table.count).sum()) / c.table.voxels
    found: Floats = (of_row - mean) / c.table.voxels
    return found
