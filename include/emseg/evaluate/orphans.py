"""Orphans: bodies with points at synapses, but so few that nobody knows which neuron they are a part of.

By FlyEM's evaluation (plug-in `orphans_stat` of DVIDSparkServices): an orphan is a segment above 0, or a body of the
ground truth, with at least one point at a synapse and fewer than a floor of them. Those of the ground truth are no
mistake of the segmentation. Worked example: with a floor of 10, segments of 12, 9 and 1 points have 2 orphans, with 10
points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Ids
from emseg.evaluate.contingency import ContingencyTable

ORPHAN_POINTS = 10
"""The floor that FlyEM's evaluation has."""


@dataclass(frozen=True)
class Orphans:
    """Segments (or bodies) with fewer than `floor` points at synapses, and the points that they have."""

    floor: int
    orphans: int
    of: int
    """Segments above 0 (or bodies) with any point."""
    points: int


def orphan_segments(points: ContingencyTable, floor: int = ORPHAN_POINTS) -> Orphans:
    """Orphans of the segmentation, of the contingency table of all points."""
    assigned = points.segmentation != 0
    return _orphans(points.segmentation[assigned], points.count[assigned], floor)


def orphan_bodies(points: ContingencyTable, floor: int = ORPHAN_POINTS) -> Orphans:
    """Orphans of the ground truth, which are no mistake of the segmentation."""
    return _orphans(points.groundtruth, points.count, floor)


def _orphans(ids: Ids, count: Counts, floor: int) -> Orphans:
    each, body = np.unique(ids, return_inverse=True)
    sizes = np.zeros(len(each), np.int64)
    np.add.at(sizes, body, count)
    small = sizes[sizes < floor]
    return Orphans(floor, len(small), len(sizes), int(small.sum()))
