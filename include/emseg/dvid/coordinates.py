"""Conversions: emseg's Z, Y, X to DVID's X, Y, Z, and voxels to blocks of 64 voxels a side. No other file does them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emseg.array_types import Counts
from emseg.geometry import Box, Coordinate
from emseg.kernels.sub_blocks import BLOCK_VOX


def xyz_text(vec: Coordinate) -> str:
    """A ZYX triple as DVID writes it in addresses, X first: `xyz_text((3, 2, 1)) == "1_2_3"`."""
    return "_".join(str(int(v)) for v in reversed(vec))


def zyx(values: Sequence[int]) -> Coordinate:
    """Three integers in reverse order: DVID's JSON `[x, y, z]` as a ZYX triple, or the other way round."""
    return Coordinate.of(reversed(values))


def told_box(record: Mapping[str, Any]) -> Box | None:
    """The extents in DVID's record of an instance; None where it has none, or no voxel (`MaxPoint` is inside)."""
    extents = record.get("Extents") or record.get("Extended") or {}
    low, high = extents.get("MinPoint"), extents.get("MaxPoint")
    if low is None or high is None:
        return None
    box = Box(zyx(low), zyx(high) + 1)
    return None if box.is_empty else box


def voxels_of(box_blocks: Box) -> Box:
    """The voxels of a box of blocks."""
    return box_blocks.finer(BLOCK_VOX)


def blocks_around(box: Box) -> Box:
    """The blocks that hold a voxel of `box`."""
    return box.coarser(BLOCK_VOX)


def blocks_of_points(points: Counts) -> Counts:
    """The block of each of (n, 3) voxels."""
    return points // BLOCK_VOX


def one_block(block: Coordinate) -> Box:
    """The box of one block."""
    return Box.of_shape((1, 1, 1), block)


def blocks_at_finer_scale(block: Coordinate, scales: int) -> Box:
    """The blocks that `block` covers `scales` scales finer; with each scale they are twice as many along each axis."""
    return one_block(block).finer(1 << scales)
