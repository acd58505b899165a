"""Which blocks of labels lie in the ROI with all that the volume has of them: worked by hand."""

from __future__ import annotations

import numpy as np

from emseg.geometry import Box, Grid, Roi
from emseg.phases.write.bricks import blocks_within

GRID = Grid(Box((0, 0, 0), (64, 64, 150)), (64, 64, 64), (0, 0, 0))
BLOCKS = np.array([[0, 0, 2], [0, 0, 0], [0, 0, 1], [0, 0, 2]], np.int32)


def column(*x: int) -> Roi:
    """All of Z and Y at the blocks `x` of 32 voxels."""
    return Roi.of_blocks([(z, y, i) for z, y in np.ndindex(2, 2) for i in x])


def test_a_block_that_the_roi_cuts_is_not_within_it():
    """Kills a test of one corner, and blocks that are answered in another order or once."""
    assert blocks_within(GRID, column(2, 3, 4), BLOCKS).tolist() == [True, False, True, True]
    assert blocks_within(GRID, column(0, 1, 3), BLOCKS).tolist() == [False, True, False, False]


def test_voxels_beyond_the_volume_need_not_be_in_the_roi():
    """The volume ends at voxel 150, in block 4 of the ROI: its block 5 has nothing of the volume."""
    assert blocks_within(GRID, column(4), BLOCKS[:1]).tolist() == [True]


def test_without_a_roi_every_block_is_within():
    assert blocks_within(GRID, None, BLOCKS).tolist() == [True] * 4
    assert blocks_within(GRID, column(0), BLOCKS[:0]).tolist() == []
