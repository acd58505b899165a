"""What became of each ground-truth body between two segmentations of the same voxels: which broke, which merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Floats
from emseg.config.groundtruth import Unassigned
from emseg.evaluate.bodies import BodyScores, per_body
from emseg.evaluate.contingency import ContingencyTable


@dataclass(frozen=True)
class BodyChange:
    """One label of the ground truth: `bits` more of VI split (or merge) than before, and what holds most of it now.

    `fragments` are the fewest segments that hold 90 % of it, before and now. `others` are up to three bodies that share
    its best segment now and did not share its best one before, those with most voxels first.
    """

    body: int
    bits: float
    fragments: tuple[int, int]
    segment: int
    others: tuple[int, ...]


def broken_and_merged(
    before: ContingencyTable, now: ContingencyTable, count: int, unassigned: Unassigned = Unassigned.SEGMENT
) -> tuple[tuple[BodyChange, ...], tuple[BodyChange, ...]]:
    """Up to `count` bodies with the largest rise of VI split, and of VI merge; the smaller id among equals.

    Both tables are of the same voxels, so they hold the same bodies.
    """
    old, new = (_by_id(per_body(table, unassigned)) for table in (before, now))
    rises = (new.vi_split - old.vi_split, new.vi_merge - old.vi_merge)
    broken, merged = (
        tuple(_change(i, float(rise[i]), old, new, before, now) for i in _largest(rise, count)) for rise in rises
    )
    return broken, merged


def _by_id(scores: BodyScores) -> BodyScores:
    return scores.rows(np.argsort(scores.ids))


def _largest(rise: Floats, count: int) -> Counts:
    order = np.lexsort((np.arange(len(rise)), -rise))[:count]
    chosen: Counts = order[rise[order] > 0]
    return chosen


def _change(
    i: int, bits: float, old: BodyScores, new: BodyScores, before: ContingencyTable, now: ContingencyTable
) -> BodyChange:
    held_before = before.groundtruth[before.segmentation == old.best_partner[i]]
    rows = now.rows((now.segmentation == new.best_partner[i]) & ~np.isin(now.groundtruth, held_before))
    others = rows.groundtruth[np.lexsort((rows.groundtruth, -rows.count))]
    fragments = int(old.fragments[i]), int(new.fragments[i])
    names = tuple(int(each) for each in others[others != new.ids[i]][:3])
    return BodyChange(int(new.ids[i]), bits, fragments, int(new.best_partner[i]), names)
