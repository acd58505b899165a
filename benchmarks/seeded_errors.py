"""A good segmentation of a labelled volume, and errors that are put into it: merges, splits, and noise.

The good segmentation joins the supervoxels as the ground truth has them. A segmentation is then the body of each
supervoxel, and its score follows from the tables of the supervoxels, without a look at the voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from benchmarks.data import LabelledEm
from emseg.array_types import Counts, Ids
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import ContingencyTable, PerSubvolume, contingency_table
from emseg.geometry import Box, Grid
from emseg.quality import Measured

CORE_VOX = (64, 64, 64)
NOISE = 0.05
"""Share of the contacts of small supervoxels at which one of the two goes to the body of the other."""

Pairs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Volume:
    """Supervoxels against ground truth in each subvolume, and what errors need to know of them.

    `body` is the body of each supervoxel, by its id; `centre` its middle, float64 (ids, 3), voxels; `voxels` its size.
    `touching` are pairs of supervoxels that touch, int64 (pairs, 2).
    """

    tables: dict[str, ContingencyTable]
    body: Ids
    centre: npt.NDArray[np.float64]
    voxels: Counts
    touching: Pairs

    @classmethod
    def of(cls, em: LabelledEm) -> Volume:
        """Cut a volume into subvolumes, and count."""
        labels, truth = em.supervoxels.astype(np.uint64), em.groundtruth.astype(np.uint64)
        grid = Grid(Box.of_shape(truth.shape), CORE_VOX, (0, 0, 0))
        subvolumes = [grid.subvolume(number) for number in range(prod(grid.shape))]
        cores = {each.name: each.core.slices() for each in subvolumes}
        tables = {name: contingency_table(labels[core], truth[core]) for name, core in cores.items()}
        body = _best_body(contingency_table(labels, truth), int(labels.max()) + 1)
        voxels = np.bincount(labels.ravel(), minlength=len(body))
        axes = np.ogrid[tuple(slice(n) for n in truth.shape)]
        sums = (np.bincount(labels.ravel(), np.broadcast_to(axis, truth.shape).ravel()) for axis in axes)
        centre = np.stack([each / np.maximum(voxels, 1) for each in sums], axis=1)
        return cls(tables, body, centre, voxels, _touching(labels))

    @cached_property
    def pairs(self) -> Ids:
        """Pairs of bodies that touch."""
        found = np.sort(self.body[self.touching], axis=1)
        return np.unique(found[(found[:, 0] != found[:, 1]) & (found[:, 0] > 0)], axis=0)

    def measured(self, body: Ids, times: Counts | None = None) -> Measured:
        """The segmentation that has those bodies, on each subvolume so many `times`."""
        tables = {}
        for number, (name, table) in enumerate(self.tables.items()):
            for copy in range(1 if times is None else times[number]):
                tables[f"{name}-{copy}"] = _renamed(table, body)
        parts = PerSubvolume.of(tables)
        return Measured.of(parts.score(), parts, "ab", Unassigned.SEGMENT)


def _best_body(table: ContingencyTable, ids: int) -> Ids:
    body = np.zeros(ids, np.uint64)
    order = np.argsort(table.count, kind="stable")
    body[table.segmentation[order]] = table.groundtruth[order]
    return body


def _touching(labels: Ids) -> Pairs:
    found = []
    for axis in range(3):
        low, high = (np.take(labels, np.arange(s, labels.shape[axis] - 1 + s), axis) for s in (0, 1))
        differ = (low != high) & (low > 0) & (high > 0)
        found.append(np.unique(np.stack([low[differ], high[differ]], axis=1), axis=0))
    return np.unique(np.concatenate(found), axis=0).astype(np.int64)


def _renamed(table: ContingencyTable, body: Ids) -> ContingencyTable:
    rows = ContingencyTable(body[table.segmentation], table.groundtruth, table.count)
    order = np.lexsort((rows.groundtruth, rows.segmentation))
    return rows.rows(order)


def merged(volume: Volume, body: Ids, random: np.random.Generator) -> Ids:
    """Two bodies that touch have become one."""
    keep, gone = random.choice(volume.pairs)
    return np.where(body == _holder(volume, body, gone), _holder(volume, body, keep), body)


def _holder(volume: Volume, body: Ids, truth: np.uint64) -> np.uint64:
    """The body that holds most of a ground-truth body now."""
    held, voxels = body[volume.body == truth], volume.voxels[volume.body == truth]
    names, index = np.unique(held, return_inverse=True)
    return np.uint64(names[np.argmax(np.bincount(index, voxels))])


def split(volume: Volume, body: Ids, random: np.random.Generator) -> Ids:
    """One body, drawn from all that have several supervoxels, is cut at a plane through its middle."""
    names, count = np.unique(body[volume.body > 0], return_counts=True)
    name = random.choice(names[count > 1])
    members = np.flatnonzero(body == name)
    direction = random.normal(size=3)
    along = volume.centre[members] @ direction
    beyond = members[along > np.average(along, weights=volume.voxels[members])]
    changed = body.copy()
    changed[beyond] = body.max() + np.uint64(1)
    return changed


def noisy(volume: Volume, random: np.random.Generator) -> Ids:
    """Some small supervoxels belong to a body that they touch."""
    small = volume.voxels < np.median(volume.voxels[volume.voxels > 0])
    chosen = volume.touching[small[volume.touching[:, 0]]]
    chosen = chosen[random.random(len(chosen)) < NOISE]
    changed = volume.body.copy()
    changed[chosen[:, 0]] = volume.body[chosen[:, 1]]
    return changed
