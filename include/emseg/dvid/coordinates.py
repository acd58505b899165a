"""The one place where emseg's Z, Y, X meets DVID's X, Y, Z, and voxels meet blocks of 64 voxels a side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emseg.dvid.sub_blocks import BLOCK_VOX
from emseg.geometry import Box, Vec


def xyz_text(vec: Vec) -> str:
    """A ZYX tuple as DVID writes it in addresses, X first: `xyz_text((3, 2, 1)) == "1_2_3"`."""
    return "_".join(str(int(v)) for v in reversed(vec))


def zyx(values: Sequence[int]) -> Vec:
    """Three integers with the axes turned round: DVID's JSON `[x, y, z]` as a ZYX tuple, and the way back."""
    x, y, z = (int(v) for v in values)
    return z, y, x


def voxels_of(box_blocks: Box) -> Box:
    """The voxels of a box of blocks."""
    start, stop = (_map(lambda block: block * BLOCK_VOX, corner) for corner in (box_blocks.start, box_blocks.stop))
    return Box(start, stop)


def blocks_around(box: Box) -> Box:
    """The blocks that hold a voxel of `box`."""
    return Box(_map(lambda voxel: voxel // BLOCK_VOX, box.start), _map(lambda voxel: -(-voxel // BLOCK_VOX), box.stop))


def one_block(block: Vec) -> Box:
    """The box of one block."""
    return Box.of_shape((1, 1, 1), block)


def blocks_at_finer_scale(block: Vec, scales: int) -> Box:
    """The blocks that `block` covers so many scales finer: two of each axis a scale."""
    return Box(_map(lambda at: at << scales, block), _map(lambda at: (at + 1) << scales, block))


def _map(function: Callable[[int], int], vec: Vec) -> Vec:
    z, y, x = (function(value) for value in vec)
    return z, y, x
