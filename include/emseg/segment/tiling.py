"""A volume through a function of fixed-size tiles: overlapping tiles, faded into each other, no seam."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt

from emseg.config.base import Vec3

Image = npt.NDArray[np.float32]


def tiled(image: Image, tile_vox: Vec3, halo_vox: Vec3, function: Callable[[Image], Image]) -> Image:
    """`function` over the whole of `image`, float32 ZYX; it gets and gives arrays of shape `tile_vox`.

    A tile's rim of `halo_vox` voxels lacks context and is used only at the edge of the volume. Where two tiles overlap,
    their weights rise linearly from rim to inside and are divided by their sum. A volume smaller than a tile is
    mirrored to its size.
    """
    before = [(0, max(0, t - n)) for t, n in zip(tile_vox, image.shape, strict=True)]
    padded = np.pad(image, before, mode="symmetric") if any(b for _, b in before) else image
    total = np.zeros(padded.shape, np.float32)
    weight = np.zeros(padded.shape, np.float32)
    starts = [_starts(n, t, h) for n, t, h in zip(padded.shape, tile_vox, halo_vox, strict=True)]
    for corner in product(*starts):
        window = tuple(slice(s, s + t) for s, t in zip(corner, tile_vox, strict=True))
        ramps = [_ramp(s, t, h, n) for s, t, h, n in zip(corner, tile_vox, halo_vox, padded.shape, strict=True)]
        share = ramps[0][:, None, None] * ramps[1][:, None] * ramps[2]
        total[window] += share * function(np.ascontiguousarray(padded[window]))
        weight[window] += share
    total /= weight
    return np.ascontiguousarray(total[tuple(slice(0, n) for n in image.shape)])


def _starts(length: int, tile: int, halo: int) -> list[int]:
    """First voxels of the tiles along one axis: insides meet, the last tile ends with the volume."""
    step = tile - 2 * halo
    return [*range(0, length - tile, step), length - tile]


def _ramp(start: int, tile: int, halo: int, length: int) -> Image:
    """Weight along one axis: 0 in the rim, rising to the middle; 1 in a rim that is the edge of the volume."""
    voxel = np.arange(tile)
    rise = np.minimum(voxel, tile - 1 - voxel).astype(np.float32) - halo + 1
    weight = np.clip(rise / max(1, (tile - 2 * halo + 1) // 2), 0, 1)
    # The first and the last voxels of a volume lie in one tile only.
    if start == 0:
        weight[:halo] = weight[halo]
    if start + tile == length:
        weight[tile - halo :] = weight[tile - halo - 1]
    return weight.astype(np.float32)
