"""Region of interest: a set of blocks, as DVID keeps it, with fast questions about boxes and cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from emseg.array_types import Counts, Flags, Mask
from emseg.geometry.box import Box
from emseg.geometry.coordinate import Coordinate
from emseg.geometry.grid import Grid


@dataclass(frozen=True, eq=False)
class Roi:
    """Blocks of `block_vox` voxels a side; `blocks` is int32 (N, 3) block coordinates ZYX, sorted and unique."""

    blocks: npt.NDArray[np.int32]
    block_vox: int = 32

    @classmethod
    def of_blocks(cls, blocks: npt.ArrayLike, block_vox: int = 32) -> Roi:
        """Roi of block coordinates in any order, repeated or not; shape (N, 3), ZYX."""
        array = np.asarray(blocks, dtype=np.int32).reshape(-1, 3)
        return cls(np.unique(array, axis=0), block_vox)

    @property
    def is_empty(self) -> bool:
        """Whether there is no block."""
        return len(self.blocks) == 0

    @cached_property
    def bounds(self) -> Box:
        """Smallest box of voxels around all blocks; empty for an empty ROI."""
        if self.is_empty:
            return Box((0, 0, 0), (0, 0, 0))
        low, high = self.blocks.min(0) * self.block_vox, (self.blocks.max(0) + 1) * self.block_vox
        return Box(Coordinate.of(low), Coordinate.of(high))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over block size and blocks: equal exactly for equal regions."""
        return sha256(f"{self.block_vox}:".encode() + self.blocks.astype("<i4").tobytes()).hexdigest()

    def touches(self, box: Box) -> bool:
        """Whether any voxel of `box` lies in the ROI."""
        held = box.coarser(self.block_vox)
        inside = (self.blocks >= np.array(held.start)) & (self.blocks < np.array(held.stop))
        return not box.is_empty and bool(np.any(np.all(inside, axis=1)))

    def mask(self, box: Box) -> Mask:
        """Boolean array of `box.shape`: which of its voxels lie in the ROI."""
        held = box.coarser(self.block_vox)
        coarse = self._held_blocks(held)
        from_first = box.translated(-held.start * self.block_vox)
        axes = (np.arange(a, b) // self.block_vox for a, b in zip(from_first.start, from_first.stop, strict=True))
        return coarse[np.ix_(*axes)]

    def holds(self, points: Counts) -> Flags:
        """Which of (N, 3) voxels ZYX lie in the ROI. Memory: a byte a block of the box around them."""
        if len(points) == 0:
            return np.zeros(0, bool)
        blocks = points // self.block_vox
        held = Box(Coordinate.of(blocks.min(0)), Coordinate.of(blocks.max(0) + 1))
        found: Flags = self._held_blocks(held)[tuple((blocks - np.array(held.start)).T)]
        return found

    def cells_of(self, grid: Grid) -> list[int]:
        """Numbers of the cells whose core holds a voxel of the ROI, ascending. Vectorised: no pass over empty cells."""
        start, stop = self._clipped_voxel_ranges(grid.bounds)
        cells: set[int] = set()
        first = start // grid.core_vox - np.array(grid.cells.start)
        last = (stop - 1) // grid.core_vox - np.array(grid.cells.start)
        _, ny, nx = grid.shape
        # A block may span several cells when cells are smaller than it or do not start at its edge.
        for offset in np.ndindex(*((last - first).max(0, initial=-1) + 1)):
            cell = first + np.array(offset)
            cell = cell[np.all(cell <= last, axis=1)]  # of 10^7 blocks, so one array less is 200 MB
            cells.update(np.unique((cell[:, 0] * ny + cell[:, 1]) * nx + cell[:, 2]).tolist())
        return sorted(cells)

    def _held_blocks(self, box_blocks: Box) -> Mask:
        """Which blocks of a box of blocks are in the ROI."""
        held = np.zeros(box_blocks.shape, bool)
        local = self.blocks - np.array(box_blocks.start)
        inside = np.all((local >= 0) & (local < held.shape), axis=1)
        held[tuple(local[inside].T)] = True
        return held

    def _clipped_voxel_ranges(self, bounds: Box) -> tuple[Counts, Counts]:
        start = np.maximum(self.blocks.astype(np.int64) * self.block_vox, bounds.start)
        stop = np.minimum((self.blocks.astype(np.int64) + 1) * self.block_vox, bounds.stop)
        touches = np.all(start < stop, axis=1)
        return start[touches], stop[touches]


def selected_cells(grid: Grid, roi: Roi | None) -> list[int]:
    """Numbers of the subvolumes to compute, ascending: those that hold a voxel of the ROI, or all of them."""
    return list(range(grid.shape.product)) if roi is None else roi.cells_of(grid)


def is_selected(roi: Roi | None, core: Box) -> bool:
    """Whether a subvolume with this core is computed; agrees with `selected_cells`."""
    return roi is None or roi.touches(core)
