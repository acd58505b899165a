"""How an ingestion is cut: bricks of whole DVID blocks at every scale, so that no two writers share a block.

Example: chunks of 1 x 4096 x 4096 voxels of uint8 give bricks of 256 x 1024 x 512 (with scales 0 to 2), so each chunk
is decoded 32 times and not 256 times. More would not fit into the memory of a task.
"""

from __future__ import annotations

from math import prod

from emseg.dvid import BLOCK_VOX
from emseg.geometry import Box, Coordinate

PART_BYTES = 128 << 20
"""Voxels of a source that a writer holds at a time, as they lie in memory."""

LABEL_BYTES = 8
"""Of a label while it is written, whatever the source keeps."""

_SIDE_VOX = 256
"""Side that bricks have at least, where memory allows: smaller ones are slow to post."""


def bricks_of(box: Box, max_scale: int, voxel_bytes: int, chunk_vox: Coordinate | None = None) -> list[Box]:
    """Boxes that cover `box`, anchored at voxel 0; those at its faces reach beyond it."""
    shape = _shape(max_scale, voxel_bytes, chunk_vox or Coordinate(1, 1, 1))
    cells = box.coarser(shape)
    return [Box.of_shape((1, 1, 1), cell).finer(shape) for cell in cells.coordinates()]


def _shape(max_scale: int, voxel_bytes: int, chunk_vox: Coordinate) -> Coordinate:
    """As much of a chunk as the memory of a part allows: each chunk is decoded once for each brick that it meets."""
    shape = [BLOCK_VOX << max_scale] * 3
    for goal in (chunk_vox, Coordinate(_SIDE_VOX, _SIDE_VOX, _SIDE_VOX)):
        while 2 * prod(shape) * voxel_bytes <= PART_BYTES:
            axis = max(range(3), key=[g / s for g, s in zip(goal, shape, strict=True)].__getitem__)
            if goal[axis] <= shape[axis]:
                break
            shape[axis] *= 2
    return Coordinate.of(shape)
