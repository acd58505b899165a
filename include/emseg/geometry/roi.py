"""Region of interest: a set of blocks, as DVID keeps it, with fast questions about boxes and cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from emseg.geometry.box import Box, Vec
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
        return Box(_vec(low), _vec(high))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over block size and blocks: equal exactly for equal regions."""
        return sha256(f"{self.block_vox}:".encode() + self.blocks.astype("<i4").tobytes()).hexdigest()

    def touches(self, box: Box) -> bool:
        """Whether any voxel of `box` lies in the ROI."""
        low = np.array(box.start) // self.block_vox
        high = -(-np.array(box.stop) // self.block_vox)
        return not box.is_empty and bool(np.any(np.all((self.blocks >= low) & (self.blocks < high), axis=1)))

    def mask(self, box: Box) -> npt.NDArray[np.bool_]:
        """Boolean array of `box.shape`: which of its voxels lie in the ROI."""
        covered = box.covering((self.block_vox,) * 3)
        low = np.array(covered.start) // self.block_vox
        coarse = np.zeros(tuple(n // self.block_vox for n in covered.shape), bool)
        local = self.blocks - low
        inside = np.all((local >= 0) & (local < coarse.shape), axis=1)
        coarse[tuple(local[inside].T)] = True
        axes = (
            (np.arange(a, b) // self.block_vox - first) for a, b, first in zip(box.start, box.stop, low, strict=True)
        )
        return coarse[np.ix_(*axes)]

    def cells_of(self, grid: Grid) -> list[int]:
        """Numbers of the cells whose core holds a voxel of the ROI, ascending. Vectorised: no pass over empty cells."""
        inside = self._clipped_voxel_ranges(grid.bounds)
        cells: set[int] = set()
        low_cell = np.array(grid.bounds.start) // grid.core_vox
        _, ny, nx = grid.shape
        first = inside[0] // grid.core_vox - low_cell
        last = (inside[1] - 1) // grid.core_vox - low_cell
        # A block may span several cells when cells are smaller than it or do not start at its edge.
        for offset in np.ndindex(*_vec((last - first).max(0) + 1 if len(first) else (0, 0, 0))):
            cell = first + np.array(offset)
            cell = cell[np.all(cell <= last, axis=1)]
            cells.update(np.unique((cell[:, 0] * ny + cell[:, 1]) * nx + cell[:, 2]).tolist())
        return sorted(cells)

    def _clipped_voxel_ranges(self, bounds: Box) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        start = np.maximum(self.blocks.astype(np.int64) * self.block_vox, bounds.start)
        stop = np.minimum((self.blocks.astype(np.int64) + 1) * self.block_vox, bounds.stop)
        touches = np.all(start < stop, axis=1)
        return start[touches], stop[touches]


def _vec(values: npt.ArrayLike) -> Vec:
    z, y, x = (int(v) for v in np.asarray(values))
    return z, y, x
