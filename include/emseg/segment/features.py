"""Image features of a voxel at several scales: what the pixel classifier knows of its surroundings.

Sigmas are nanometres. A wide filter runs on a copy that is averaged down to its own scale, which costs an eighth or
less, and its result is interpolated back. An axis with thick sections is averaged less. Features are made tile by tile,
so that the memory of a step does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise, product
from math import ceil, prod

import numpy as np
import numpy.typing as npt
from bioimage_cpp.filters import (
    gaussian_gradient_magnitude,
    gaussian_smoothing,
    hessian_of_gaussian_eigenvalues,
    structure_tensor_eigenvalues,
)
from pydantic import Field

from emseg.config.base import Record
from emseg.geometry import Coordinate, VoxelSize
from emseg.kernels.compiled import compiled
from emseg.segment.protocol import Margin

Image = npt.NDArray[np.float32]
Factor = tuple[int, int, int]
Core = tuple[slice, slice, slice]

_WINDOW = 3.0
"""Kernels are cut at this many sigmas."""
_COARSEST = 1.7
"""A filter runs on the coarsest copy whose voxels are at most its sigma divided by this."""
_LEAST_SIGMA_VOX = 0.3
"""An axis on which a sigma is shorter is not smoothed: the section is thicker than the filter."""


class Scale(Record):
    """Gaussian, gradient magnitude, Hessian eigenvalues and their sum; the structure tensor where it has a width."""

    sigma_nm: float = Field(gt=0)
    structure_nm: float | None = Field(default=None, gt=0)


class ImageFeatures(Record):
    """The scales at which one image (`gray`, or the `probability` of the pass before) is looked at."""

    image: str
    scales: tuple[Scale, ...]


class FeatureBank(Record):
    """All features of a pass, in the order in which its forest knows them."""

    images: tuple[ImageFeatures, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """One name a feature."""
        return tuple(
            f"{each.image}_{name}"
            for each in self.images
            for name in ("value", *(name for scale in each.scales for name in _names(scale)))
        )

    def reach_vox(self, voxel_size_nm: VoxelSize) -> Margin:
        """Voxels, Z Y X, beyond which nothing enters a feature."""
        reaches = (Coordinate.of(_reach_vox(s, voxel_size_nm)) for each in self.images for s in each.scales)
        return reduce(Coordinate.maximum, reaches)


@dataclass(frozen=True)
class Tile:
    """Features of the voxels `core`: float32, (features, voxels in C order)."""

    core: Core
    features: Image


def feature_tiles(
    images: Mapping[str, Image], bank: FeatureBank, voxel_size_nm: VoxelSize, tile_voxels: int
) -> Iterator[Tile]:
    """Features of whole volumes, float32 ZYX of one shape, in tiles of about `tile_voxels` voxels.

    The tiles depend on the shape alone, so the same volume gives the same bytes.
    """
    plans = [_Plan(images[each.image], each, voxel_size_nm) for each in bank.images]
    shape = plans[0].image.shape
    for core in _tiles(shape, tile_voxels):
        out = np.empty((len(bank.names), prod(_shape(core))), np.float32)
        row = 0
        for plan in plans:
            row = plan.fill(core, out, row)
        yield Tile(core, out)


class _Plan:
    """One image: its coarse features, made once, and how the fine ones of a tile are made."""

    def __init__(self, image: Image, wanted: ImageFeatures, voxel_size_nm: VoxelSize) -> None:
        self.image = image
        copies: dict[Factor, Image] = {}
        self._parts: list[tuple[_Filter, Factor, list[Image] | None]] = []
        for scale in wanted.scales:
            factor = _factor(scale.sigma_nm, voxel_size_nm)
            if factor != (1, 1, 1) and factor not in copies:
                copies[factor] = averaged(image, factor)
            for each in _filters(scale, _coarser(voxel_size_nm, factor)):
                self._parts.append((each, factor, each.features(copies[factor]) if factor in copies else None))

    def fill(self, core: Core, out: Image, row: int) -> int:
        """Write this image's features of a tile into `out` from `row` on; the row after the last."""
        z, y, x = core
        out[row] = self.image[core].ravel()
        row += 1
        for each, factor, coarse in self._parts:
            rows = out[row : row + each.count]
            if coarse is None:
                self._fine(core, each, rows)
            else:
                for feature, out_row in zip(coarse, rows, strict=True):
                    _interpolate(feature, factor, (z.start, y.start, x.start), out_row.reshape(_shape(core)))
            row += each.count
        return row

    def _fine(self, core: Core, each: _Filter, out: Image) -> None:
        """One filter, on the tile and the margin that it looks at; nothing but `out` is kept."""
        grown = tuple(
            slice(max(0, c.start - r), min(n, c.stop + r))
            for c, r, n in zip(core, each.reach_vox, self.image.shape, strict=True)
        )
        inner = tuple(slice(c.start - g.start, c.stop - g.start) for c, g in zip(core, grown, strict=True))
        for row, feature in zip(out, each.features(np.ascontiguousarray(self.image[grown])), strict=True):
            row.reshape(_shape(core))[...] = feature[inner]


def _names(scale: Scale) -> tuple[str, ...]:
    kinds = ["gaussian", "gradient", "laplacian", "hessian1", "hessian2", "hessian3"]
    kinds += ["structure1", "structure2", "structure3"] if scale.structure_nm else []
    return tuple(f"{kind}_{scale.sigma_nm:g}nm" for kind in kinds)


@dataclass(frozen=True)
class _Filter:
    """One filter: how far it looks, voxels Z Y X, how many features it makes, and those of an image."""

    reach_vox: Margin
    count: int
    features: Callable[[Image], list[Image]]


def _filters(scale: Scale, voxel_size_nm: VoxelSize) -> list[_Filter]:
    """The filters of one scale; their features are in the order of `_names`."""
    sigma = _sigma_vox(scale.sigma_nm, voxel_size_nm)
    near = _kernel_vox(sigma)

    def hessian(image: Image) -> list[Image]:
        values = hessian_of_gaussian_eigenvalues(image, sigma, window_size=_WINDOW)
        return [values.sum(axis=-1, dtype=np.float32), *np.moveaxis(values, -1, 0)]

    filters = [
        _Filter(near, 1, lambda image: [gaussian_smoothing(image, sigma, window_size=_WINDOW)]),
        _Filter(near, 1, lambda image: [gaussian_gradient_magnitude(image, sigma, window_size=_WINDOW)]),
        _Filter(near, 4, hessian),
    ]
    if scale.structure_nm:
        outer = _sigma_vox(scale.structure_nm, voxel_size_nm)

        def structure(image: Image) -> list[Image]:
            values = structure_tensor_eigenvalues(image, sigma, outer, window_size=_WINDOW)
            return list(np.moveaxis(values, -1, 0))

        filters.append(_Filter(Coordinate.of(near) + _kernel_vox(outer), 3, structure))
    return filters


def _sigma_vox(sigma_nm: float, voxel_size_nm: VoxelSize) -> tuple[float, float, float]:
    z, y, x = (max(sigma_nm / size, _LEAST_SIGMA_VOX) for size in voxel_size_nm)
    return z, y, x


def _factor(sigma_nm: float, voxel_size_nm: VoxelSize) -> Factor:
    """Powers of two, at most 8: 35 nm on voxels of 10 nm gives 2, on 40 x 4 x 4 nm gives (1, 4, 4)."""
    z, y, x = (max(f for f in (1, 2, 4, 8) if f == 1 or f * size <= sigma_nm / _COARSEST) for size in voxel_size_nm)
    return z, y, x


def _coarser(voxel_size_nm: VoxelSize, factor: Factor) -> VoxelSize:
    z, y, x = (size * f for size, f in zip(voxel_size_nm, factor, strict=True))
    return z, y, x


def _kernel_vox(sigma: tuple[float, float, float]) -> Margin:
    z, y, x = (ceil(_WINDOW * s) for s in sigma)
    return z, y, x


def _reach_vox(scale: Scale, voxel_size_nm: VoxelSize) -> Margin:
    factor = _factor(scale.sigma_nm, voxel_size_nm)
    kernels = [each.reach_vox for each in _filters(scale, _coarser(voxel_size_nm, factor))]
    # Interpolation looks one coarse voxel farther, and averaging spreads over one.
    z, y, x = (
        max(kernel[axis] for kernel in kernels) * f + (2 * f - 1 if f > 1 else 0) for axis, f in enumerate(factor)
    )
    return z, y, x


def _tiles(shape: tuple[int, ...], voxels: int) -> Iterator[Core]:
    """Tiles about as deep as they are high and wide: the margins cost least."""
    depth = _side(shape[0], voxels ** (1 / 3))
    height = _side(shape[1], (voxels / depth) ** 0.5)
    width = _side(shape[2], voxels / (depth * height))
    yield from product(_pieces(shape[0], depth), _pieces(shape[1], height), _pieces(shape[2], width))


def _side(length: int, wanted: float) -> int:
    return min(length, max(8, round(wanted)))


def _shape(core: Core) -> tuple[int, int, int]:
    z, y, x = (part.stop - part.start for part in core)
    return z, y, x


def _pieces(length: int, longest: int) -> list[slice]:
    count = ceil(length / longest)
    edges = [round(length * k / count) for k in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


@compiled
def averaged(image: Image, factor: Factor) -> Image:
    """Means over blocks of `factor` voxels; blocks that stick out of the image count what is inside."""
    fz, fy, fx = factor
    shape = (-(-image.shape[0] // fz), -(-image.shape[1] // fy), -(-image.shape[2] // fx))
    out = np.empty(shape, np.float32)
    for z in range(shape[0]):
        for y in range(shape[1]):
            for x in range(shape[2]):
                total, count = np.float32(0), 0
                for a in range(z * fz, min((z + 1) * fz, image.shape[0])):
                    for b in range(y * fy, min((y + 1) * fy, image.shape[1])):
                        for c in range(x * fx, min((x + 1) * fx, image.shape[2])):
                            total += image[a, b, c]
                            count += 1
                out[z, y, x] = total / np.float32(count)
    return out


@compiled
def _interpolate(coarse: Image, factor: Factor, start: tuple[int, int, int], out: Image) -> None:
    """Linear interpolation of `coarse` at the voxels of `out`, whose first one is `start` in the fine volume."""
    length_z, length_y, length_x = coarse.shape
    low_x = np.empty(out.shape[2], np.int64)
    share_x = np.empty(out.shape[2], np.float32)
    for x in range(out.shape[2]):
        position = (start[2] + x + 0.5) / factor[2] - 0.5
        low_x[x] = min(max(int(np.floor(position)), 0), max(length_x - 2, 0))
        share_x[x] = min(max(position - low_x[x], 0.0), 1.0)
    row = np.empty(length_x, np.float32)
    step_x = min(1, length_x - 1)
    for z in range(out.shape[0]):
        position = (start[0] + z + 0.5) / factor[0] - 0.5
        z0 = min(max(int(np.floor(position)), 0), max(length_z - 2, 0))
        z1, share_z = min(z0 + 1, length_z - 1), np.float32(min(max(position - z0, 0.0), 1.0))
        for y in range(out.shape[1]):
            position = (start[1] + y + 0.5) / factor[1] - 0.5
            y0 = min(max(int(np.floor(position)), 0), max(length_y - 2, 0))
            y1, share_y = min(y0 + 1, length_y - 1), np.float32(min(max(position - y0, 0.0), 1.0))
            for x in range(length_x):
                near = coarse[z0, y0, x] * (1 - share_y) + coarse[z0, y1, x] * share_y
                far = coarse[z1, y0, x] * (1 - share_y) + coarse[z1, y1, x] * share_y
                row[x] = near * (1 - share_z) + far * share_z
            for x in range(out.shape[2]):
                a = row[low_x[x]]
                out[z, y, x] = a + (row[low_x[x] + step_x] - a) * share_x[x]
