"""Regions: boxes of cells that one task joins by itself, and larger ones that put them together.

Example: 100 x 100 x 100 cells are 343 regions of 16 cells a side at level 0, 8 of 64 a side at level 1, and one at
level 2. Whoever joins a region of level 1 gets what up to 64 regions of level 0 could not decide by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Flags, Ids
from emseg.geometry import Box, Coordinate
from emseg.geometry.box import ORIGIN
from emseg.geometry.supervoxel_ids import cells_of

REGION_CELLS = 16
"""Cells a side of a region of level 0: 4096 subvolumes."""
FAN = 4
"""Regions a side that a region of the next level is made of."""


@dataclass(frozen=True)
class Regions:
    """The regions of a grid of `shape` cells (ZYX), numbered in C order at each level."""

    shape: Coordinate
    side: int = REGION_CELLS

    @property
    def levels(self) -> int:
        """How many levels there are; the last one has one region."""
        level = 0
        while self.shape_at(level).product > 1:
            level += 1
        return level + 1

    def shape_at(self, level: int) -> Coordinate:
        """Regions along Z, Y, X at a level."""
        return self.shape.ceil_div(self._side_at(level))

    def holding(self, cells: Counts, level: int) -> Counts:
        """Number of the region that holds each cell, given by cell numbers (any shape)."""
        _, ny, nx = self.shape
        side = self._side_at(level)
        _, rows, columns = self.shape_at(level)
        z, y, x = cells // (ny * nx) // side, cells // nx % ny // side, cells % nx // side
        numbers: Counts = (z * rows + y) * columns + x
        return numbers

    def has(self, ids: Ids, level: int, number: int) -> Flags:
        """Which supervoxels (any shape) are of a cell of a region; 0 and ids of no cell of the grid are of none."""
        cells = cells_of(ids)
        flags: Flags = (ids > 0) & (cells < self.shape.product) & (self.holding(cells, level) == number)
        return flags

    def cells(self, level: int, number: int, margin: int = 0) -> Counts:
        """Numbers of the cells of a region, and of those up to `margin` cells around it; ascending."""
        _, rows, columns = self.shape_at(level)
        at = Coordinate(number // (rows * columns), number // columns % rows, number % columns)
        side = self._side_at(level)
        box = Box.of_shape((side, side, side), at * side).grown(margin).clipped(Box.of_shape(self.shape, ORIGIN))
        _, ny, nx = self.shape
        z, y, x = (np.arange(low, high) for low, high in zip(box.start, box.stop, strict=True))
        return np.asarray((z[:, None, None] * ny + y[:, None]) * nx + x, np.int64).ravel()

    def _side_at(self, level: int) -> int:
        return int(self.side * FAN**level)
