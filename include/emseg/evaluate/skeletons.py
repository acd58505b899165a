"""Scores on ground-truth skeletons: expected run length, splits and mergers.

By Januszewski et al., "High-precision automated reconstruction of neurons with flood-filling networks", Nature Methods
2018. Every node of a skeleton lies in a segment, or in none (0). A segment above 0 with nodes of two or more skeletons
is *merged*. Each edge is of one class, the first that fits:

- merged: a node of it lies in a merged segment;
- omitted: a node of it lies in no segment;
- split: its nodes lie in two segments;
- correct: both lie in one segment.

A *run* is all correct edges of one skeleton in one segment. The expected run length (ERL) is the mean length of the run
around a point that is chosen at random on the skeletons, 0 where the edge is not correct: the sum of the squared
lengths of the runs / the length of all skeletons.

Worked example: a skeleton of 5 nodes, 10 nm apart, lies in segments `7 7 7 8 8`: runs of 20 and 10 nm, one split of
10 nm. ERL = (400 + 100) / 40 = 12.5 nm, of 40 nm at best. If one node of another skeleton lies in segment 8, the last
two edges are merged, and ERL = 400 / 40 = 10 nm.

Own code: the package `funlib.evaluate` has no wheels, loops over edges in Python, and calls a whole skeleton merged
where one node of it is; `segmentation-skeleton-metrics` 5.9 reads volumes from Google's and Amazon's stores itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Flags, Floats, Ids
from emseg.codec.swc import Skeleton
from emseg.errors import PermanentError
from emseg.evaluate.contingency import run_starts


@dataclass(frozen=True)
class SkeletonScore:
    """Numbers of all skeletons together. The four lengths by class of edge add up to `length_nm`."""

    skeletons: int
    length_nm: float
    erl_nm: float
    best_erl_nm: float
    """ERL of a perfect segmentation, whose runs are the skeletons."""
    correct_nm: float
    split_nm: float
    omitted_nm: float
    merged_nm: float
    splits: int
    """Edges with their nodes in two different segments above 0, also where one of these is merged."""
    mergers: int
    """Skeletons too many in one segment: a segment with nodes of three skeletons counts twice."""


def score_skeletons(skeletons: Sequence[Skeleton], segments: Sequence[Ids]) -> SkeletonScore:
    """Score skeletons; for each, `segments` has the segment at each node, uint64 (n,), 0 for none.

    PermanentError if no skeleton has any length. Memory: 120 bytes a node.
    """
    nodes = [len(skeleton.nodes_nm) for skeleton in skeletons]
    if nodes != [len(each) for each in segments]:
        found = f"{sum(nodes)} nodes and {sum(map(len, segments))} segments"
        raise PermanentError("scoring skeletons", f"{len(nodes)} skeletons", found, "Give one segment for each node")
    lengths = np.concatenate([np.empty(0), *(skeleton.lengths_nm for skeleton in skeletons)])
    if not lengths.sum() > 0:
        found, remedy = "no skeleton has a length", "Give skeletons that cross the evaluated region"
        raise PermanentError("scoring skeletons", f"{len(nodes)} skeletons", found, remedy)
    offsets = np.cumsum([0, *nodes])[:-1]
    edges = np.concatenate([each.edges + offset for each, offset in zip(skeletons, offsets, strict=True)])
    skeleton, segment = np.repeat(np.arange(len(nodes)), nodes), np.concatenate(list(segments))
    return _score(len(nodes), skeleton, segment, edges, lengths)


def _score(skeletons: int, skeleton: Counts, segment: Ids, edges: Counts, lengths: Floats) -> SkeletonScore:
    is_merged, mergers = _merged(skeleton, segment)
    first, second = segment[edges].T
    merged = is_merged[edges].any(axis=1)
    omitted = ~merged & ((first == 0) | (second == 0))
    split = ~merged & ~omitted & (first != second)
    correct = ~(merged | omitted | split)
    of_edge, whole = skeleton[edges[:, 0]], float(lengths.sum())
    return SkeletonScore(
        skeletons=skeletons,
        length_nm=whole,
        erl_nm=_squared(lengths[correct], of_edge[correct], first[correct]) / whole,
        best_erl_nm=_squared(lengths, of_edge, np.zeros(len(lengths), np.uint64)) / whole,
        correct_nm=float(lengths[correct].sum()),
        split_nm=float(lengths[split].sum()),
        omitted_nm=float(lengths[omitted].sum()),
        merged_nm=float(lengths[merged].sum()),
        splits=int(((first != second) & (first != 0) & (second != 0)).sum()),
        mergers=mergers,
    )


def _merged(skeleton: Counts, segment: Ids) -> tuple[Flags, int]:
    """Which nodes lie in a merged segment; and for all segments the skeletons but one, summed."""
    order = np.lexsort((skeleton, segment))
    order = order[segment[order] != 0]
    pairs = order[run_starts(segment[order], skeleton[order].astype(np.uint64))]
    ids, skeletons = np.unique(segment[pairs], return_counts=True)
    return np.isin(segment, ids[skeletons > 1]), int((skeletons - 1).sum())


def _squared(lengths: Floats, skeleton: Counts, segment: Ids) -> float:
    """Sum of the squared lengths of the runs."""
    order = np.lexsort((segment, skeleton))
    starts = run_starts(skeleton[order].astype(np.uint64), segment[order])
    return float((np.add.reduceat(lengths[order], starts) ** 2).sum()) if len(starts) else 0.0
