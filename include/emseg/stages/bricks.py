"""Bricks: boxes of voxels that own whole DVID blocks at every scale, so that writers never share a block.

A brick is 64 x 2^max_scale voxels a side, anchored at voxel 0. Worked example: max_scale 2 gives 256-voxel bricks,
which hold 4^3 blocks of scale 0, 2^3 of scale 1 and one of scale 2.
"""

from __future__ import annotations

from emseg.dvid import BLOCK_VOX
from emseg.geometry import Box, Grid


def brick_grid(bounds: Box, max_scale: int) -> Grid:
    """The grid of bricks over a volume."""
    side = BLOCK_VOX << max_scale
    return Grid(bounds, (side, side, side), (0, 0, 0))


def bricks_of(grid: Grid, cells: list[int], max_scale: int) -> list[int]:
    """Numbers of the bricks that hold a voxel of the subvolumes `cells`, ascending."""
    bricks = brick_grid(grid.bounds, max_scale)
    return sorted({brick for cell in cells for brick in bricks.cells_touching(grid.subvolume(cell).core)})


def whole_brick(core: Box, max_scale: int) -> Box:
    """The full box of a brick whose core was clipped to the volume."""
    side = BLOCK_VOX << max_scale
    return core.covering((side, side, side))
