"""Sizes of all bodies, added subvolume by subvolume: how many, how large, which are the largest, which are orphans.

A supervoxel that was never joined is a body, and is counted and forgotten. What stays in memory are the bodies of
several supervoxels: with their mapping about 60 bytes for each of their supervoxels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from emseg.array_types import Counts, Ids
from emseg.sorted_ids import find
from emseg.stitch.body_mapping import BodyMapping
from emseg.stitch.supervoxels import Supervoxels

SIZE_CLASSES = 64
KEPT = 100
"""Bodies that are kept by name: the largest ones."""


@dataclass
class BodyCounts:
    """What is known of bodies that are complete. `orphan_max_vox`: a larger body is no orphan.

    `in_class[k]` bodies have 2^k to 2^(k+1) - 1 voxels, `voxels_in_class[k]` together. `squares` is the sum of the
    squares of the sizes. `largest` and `largest_vox` are the `KEPT` largest, in no order.
    """

    orphan_max_vox: float
    squares: float = 0.0
    orphans: int = 0
    orphan_vox: int = 0
    in_class: Counts = field(default_factory=lambda: np.zeros(SIZE_CLASSES, np.int64))
    voxels_in_class: Counts = field(default_factory=lambda: np.zeros(SIZE_CLASSES, np.int64))
    largest: Ids = field(default_factory=lambda: np.empty(0, np.uint64))
    largest_vox: Counts = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def bodies(self) -> int:
        """Bodies that have a voxel."""
        return int(self.in_class.sum())

    @property
    def voxels(self) -> int:
        """Voxels of all bodies."""
        return int(self.voxels_in_class.sum())

    def add(self, names: Ids, voxels: Counts, reaches: Counts) -> None:
        """Count complete bodies; `reaches` is above 0 for those that reach a face of the volume."""
        there = voxels > 0
        names, voxels, reaches = names[there], voxels[there], reaches[there]
        size_class = np.frexp(voxels.astype(np.float64))[1] - 1
        self.in_class += np.bincount(size_class, minlength=SIZE_CLASSES)
        np.add.at(self.voxels_in_class, size_class, voxels)
        self.squares += float(np.square(voxels.astype(np.float64)).sum())
        orphan = (voxels <= self.orphan_max_vox) & (reaches == 0)
        self.orphans += int(orphan.sum())
        self.orphan_vox += int(voxels[orphan].sum())
        self._keep_largest(names, voxels)

    def in_order(self) -> tuple[Ids, Counts]:
        """The largest bodies with their voxels, largest first."""
        order = np.lexsort((self.largest, -self.largest_vox))
        return self.largest[order], self.largest_vox[order]

    def _keep_largest(self, names: Ids, voxels: Counts) -> None:
        names, voxels = np.concatenate([self.largest, names]), np.concatenate([self.largest_vox, voxels])
        order = np.lexsort((names, -voxels))[:KEPT]
        self.largest, self.largest_vox = names[order], voxels[order]


class BodySums:
    """The bodies of one mapping. Add every subvolume once, in any order, and then ask for the `counts`."""

    def __init__(self, mapping: BodyMapping, orphan_max_vox: float) -> None:
        self._supervoxels = mapping.supervoxels
        self._names, self._row = np.unique(mapping.bodies, return_inverse=True)
        self._voxels = np.zeros(len(self._names), np.int64)
        self._faces = np.zeros(len(self._names), np.int64)
        self._single = BodyCounts(orphan_max_vox)

    def add(self, part: Supervoxels) -> None:
        """Add the supervoxels of one subvolume."""
        row, is_mapped = find(part.supervoxel, self._supervoxels)
        body = self._row[row[is_mapped]]
        np.add.at(self._voxels, body, part.voxels[is_mapped])
        np.bitwise_or.at(self._faces, body, part.faces[is_mapped].astype(np.int64))
        alone = part.rows(~is_mapped)
        self._single.add(alone.supervoxel, alone.voxels, alone.faces.astype(np.int64))

    def counts(self) -> BodyCounts:
        """All bodies; nothing may be added after that."""
        self._single.add(self._names, self._voxels, self._faces)
        return self._single
