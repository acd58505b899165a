"""Bricks: boxes of voxels that own whole DVID blocks at every scale, so that writers never share a block.

A brick is 64 x 2^max_scale voxels a side, anchored at voxel 0. Worked example: max_scale 2 gives 256-voxel bricks,
which hold 4^3 blocks of scale 0, 2^3 of scale 1 and one of scale 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.array_types import Counts, Flags
from emseg.dvid import BLOCK_VOX
from emseg.geometry import ORIGIN, Box, Coordinate, Grid, Roi

_PREFIX = "br-"


def brick_grid(bounds: Box, max_scale: int) -> Grid:
    """The grid of bricks over a volume."""
    side = BLOCK_VOX << max_scale
    return Grid(bounds, Coordinate(side, side, side), ORIGIN)


def brick_name(number: int) -> str:
    """Name of the item that is a brick, `br-00000042`."""
    return f"{_PREFIX}{number:08d}"


def brick_number(name: str) -> int:
    """Number of the brick with this name."""
    return int(name.removeprefix(_PREFIX))


def bricks_of(grid: Grid, cells: list[int], max_scale: int) -> list[int]:
    """Numbers of the bricks that hold a voxel of the subvolumes `cells`, ascending."""
    bricks = brick_grid(grid.bounds, max_scale)
    return sorted({brick for cell in cells for brick in bricks.cells_touching(grid.subvolume(cell).core)})


def top_block(core: Box, max_scale: int) -> Coordinate:
    """The one block of the coarsest scale in the brick that has the core `core` (which ends at the volume)."""
    return core.start // (BLOCK_VOX << max_scale)


def cells_of_blocks(grid: Grid, blocks: npt.NDArray[np.int32]) -> Counts:
    """Number of the subvolume that each block of scale 0 lies in, -1 outside of the grid; int32 (N, 3) ZYX.

    Cores are multiples of 64 voxels, so no block lies in two. Worked: with cores of 128 voxels from voxel 0 in a grid
    of 1 x 1 x 3 cells, block (0, 1, 5) begins at voxel (0, 64, 320): cell (0, 0, 2), number 2.
    """
    first = np.array(grid.bounds.start) // grid.core_vox
    cells = blocks.astype(np.int64) * BLOCK_VOX // grid.core_vox - first
    inside = ((cells >= 0) & (cells < grid.shape)).all(axis=1)
    _, ny, nx = grid.shape
    return np.where(inside, (cells[:, 0] * ny + cells[:, 1]) * nx + cells[:, 2], -1)


def blocks_within(grid: Grid, roi: Roi | None, blocks: npt.NDArray[np.int32]) -> Flags:
    """Which blocks of scale 0 lie in the ROI with all voxels that they share with the volume; int32 (N, 3) ZYX."""
    if roi is None:
        return np.ones(len(blocks), bool)
    different, which = np.unique(blocks, axis=0, return_inverse=True)
    boxes = (Box.of_shape((1, 1, 1), block).finer(BLOCK_VOX) for block in different)
    within = np.array([roi.mask(box.clipped(grid.bounds)).all() for box in boxes], bool)
    return within[which.ravel()]
