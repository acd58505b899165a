"""Bricks: boxes of voxels that own whole DVID blocks at every scale, so that writers never share a block.

A brick is 64 x 2^max_scale voxels a side, anchored at voxel 0. Worked example: max_scale 2 gives 256-voxel bricks,
which hold 4^3 blocks of scale 0, 2^3 of scale 1 and one of scale 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.dvid import BLOCK_VOX
from emseg.geometry import Box, Grid, Roi, Vec


def brick_grid(bounds: Box, max_scale: int) -> Grid:
    """The grid of bricks over a volume."""
    side = BLOCK_VOX << max_scale
    return Grid(bounds, (side, side, side), (0, 0, 0))


def bricks_of(grid: Grid, cells: list[int], max_scale: int) -> list[int]:
    """Numbers of the bricks that hold a voxel of the subvolumes `cells`, ascending."""
    bricks = brick_grid(grid.bounds, max_scale)
    return sorted({brick for cell in cells for brick in bricks.cells_touching(grid.subvolume(cell).core)})


def top_block(core: Box, max_scale: int) -> Vec:
    """The block of the coarsest scale that is the brick whose core, clipped to the volume, is given."""
    side = BLOCK_VOX << max_scale
    z, y, x = (start // side for start in core.start)
    return z, y, x


def cells_of_blocks(grid: Grid, blocks: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Number of the subvolume that each block of scale 0 lies in, -1 outside of the grid; int32 (N, 3) ZYX.

    Cores are multiples of 64 voxels, so no block lies in two. Worked: with cores of 128 voxels from voxel 0 in a grid
    of 1 x 1 x 3 cells, block (0, 1, 5) begins at voxel (0, 64, 320): cell (0, 0, 2), number 2.
    """
    first = np.array(grid.bounds.start) // grid.core_vox
    cells = blocks.astype(np.int64) * BLOCK_VOX // grid.core_vox - first
    inside = ((cells >= 0) & (cells < grid.shape)).all(axis=1)
    _, ny, nx = grid.shape
    return np.where(inside, (cells[:, 0] * ny + cells[:, 1]) * nx + cells[:, 2], -1)


def blocks_within(grid: Grid, roi: Roi | None, blocks: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Which blocks of scale 0 lie in the ROI with all their voxels of the volume; int32 (N, 3) ZYX."""
    if roi is None:
        return np.ones(len(blocks), bool)
    places, which = np.unique(blocks, axis=0, return_inverse=True)
    boxes = (Box.of_shape((BLOCK_VOX,) * 3, (z, y, x)) for z, y, x in (places * BLOCK_VOX).tolist())
    within = np.array([roi.mask(box.clipped(grid.bounds)).all() for box in boxes], bool)
    return within[which.ravel()]
