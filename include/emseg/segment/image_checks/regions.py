"""Check of regions: blocks of 80 nm a side that are blank, or at the bright end of the gray scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from emseg.segment.image_checks.fault import ImageFault, Inspection
from emseg.segment.image_checks.runs import Flags
from emseg.segment.image_checks.sums import FLAT, Edges, blocks, spread, tile_edges
from emseg.segment.protocol import Gray, Setting

_BLOCK_NM = 80.0
_SATURATED_SHARE = 0.5
_LEVEL_WIDTH = 2
"""Gray levels by which voxels beside a blank block may differ from it and still belong to it."""


def faulty_regions(image: Inspection) -> Iterator[ImageFault]:
    """`blank` where a block has one gray level, `saturated` where more than half of its voxels are 255."""
    side = Setting(image.voxel_size_nm).in_voxels(_BLOCK_NM)
    edges = tuple(tile_edges(n, max(2, round(s))) for n, s in zip(image.gray.shape, side, strict=True))
    found = blocks(image.gray, (edges[0], edges[1], edges[2]))
    blank = (found.deviation < FLAT) & (found.mean < 255 - FLAT)
    bright = (found.bright > _SATURATED_SHARE) & ~blank
    for name, which, level, what in (
        ("blank", blank, found.mean, "without signal"),
        ("saturated", bright, np.full_like(found.mean, 255), "saturated"),
    ):
        if which.any():
            yield ImageFault(name, what, _with_edge(image.gray, which, level, edges))


def _with_edge(gray: Gray, which: Flags, level: npt.NDArray[np.float64], edges: tuple[Edges, ...]) -> Flags:
    """Voxels of the blocks, and those of the blocks beside them that have the same gray level."""
    levels = ndimage.maximum_filter(np.where(which, level, -1.0).astype(np.float32), size=3)
    near = spread(levels, edges)
    where: Flags = spread(which, edges) | ((near >= 0) & (np.abs(gray - near) <= _LEVEL_WIDTH))
    return where
