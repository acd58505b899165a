"""Sizes of all bodies, added region by region: how many, how large, which are the largest, which are orphans.

A supervoxel that was never joined is a body, and is counted and forgotten. Of a body of several supervoxels each region
has a part, and the parts of all regions are added up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.array_types import Counts, Ids
from emseg.codec.column_table import StoredTable
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

    def add(self, names: Ids, voxels: Counts, reaches: npt.NDArray[np.uint8]) -> None:
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

    def __add__(self, other: BodyCounts) -> BodyCounts:
        """Those of both: no body may be in both of them."""
        together = BodyCounts(
            self.orphan_max_vox,
            self.squares + other.squares,
            self.orphans + other.orphans,
            self.orphan_vox + other.orphan_vox,
            self.in_class + other.in_class,
            self.voxels_in_class + other.voxels_in_class,
            self.largest,
            self.largest_vox,
        )
        together._keep_largest(other.largest, other.largest_vox)
        return together

    def in_order(self) -> tuple[Ids, Counts]:
        """The largest bodies with their voxels, largest first."""
        order = np.lexsort((self.largest, -self.largest_vox))
        return self.largest[order], self.largest_vox[order]

    def _keep_largest(self, names: Ids, voxels: Counts) -> None:
        names, voxels = np.concatenate([self.largest, names]), np.concatenate([self.largest_vox, voxels])
        order = np.lexsort((names, -voxels))[:KEPT]
        self.largest, self.largest_vox = names[order], voxels[order]


@dataclass(frozen=True, eq=False)
class BodyParts(StoredTable):
    """Parts of bodies of several supervoxels: voxels, and a bit for each face of the volume that a part reaches."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema([("body", pa.uint64()), ("voxels", pa.int64()), ("faces", pa.uint8())])

    body: Ids
    voxels: Counts
    faces: npt.NDArray[np.uint8]

    def whole(self) -> BodyParts:
        """The parts of each body added up; bodies ascending."""
        names, row = np.unique(self.body, return_inverse=True)
        voxels, faces = np.zeros(len(names), np.int64), np.zeros(len(names), np.uint8)
        np.add.at(voxels, row, self.voxels)
        np.bitwise_or.at(faces, row, self.faces)
        return BodyParts(names, voxels, faces)


def body_parts(mapping: BodyMapping, some: Supervoxels, orphan_max_vox: float) -> tuple[BodyParts, BodyCounts]:
    """What some supervoxels are: parts of bodies of several, and bodies of their own, which are counted.

    `mapping` must hold each of them that belongs to a body of several.
    """
    row, is_mapped = find(some.supervoxel, mapping.supervoxels)
    several = BodyParts(mapping.bodies[row[is_mapped]], some.voxels[is_mapped], some.faces[is_mapped])
    alone, counts = some.rows(~is_mapped), BodyCounts(orphan_max_vox)
    counts.add(alone.supervoxel, alone.voxels, alone.faces)
    return several.whole(), counts


def body_counts(parts: BodyParts, alone: BodyCounts) -> BodyCounts:
    """All bodies, from the parts of all regions and those that are complete in one."""
    bodies, several = parts.whole(), BodyCounts(alone.orphan_max_vox)
    several.add(bodies.body, bodies.voxels, bodies.faces)
    return alone + several
