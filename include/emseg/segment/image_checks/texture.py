"""Check of texture: how the tissue of a tile looks, in four numbers, and whether the training data looked like that.

A tile is 160 nm a side. Its numbers are the mean and the deviation of the gray levels, and how rough it is at two
scales. The distance of a tile from the training data is the Mahalanobis distance: in deviations along the axes of the
training tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from bioimage_cpp.filters import gaussian_smoothing
from pydantic import Field
from scipy import ndimage

from emseg.config.base import Record
from emseg.geometry import VoxelSize
from emseg.segment.image_checks.fault import ImageFault, Inspection
from emseg.segment.protocol import Gray, Margin, Mask, Setting

SECTION = "texture"
TILE_NM = 160.0
_FINE_NM = 10.0
_COARSE_NM = 30.0
_MARGIN = 1.5
"""A tile is foreign from this many times the distance of the farthest training tiles (the 99.9th percentile)."""
_FAR = 1.6
"""In limits: clean tissue of the same kind stays below."""

_OfEachFeature = tuple[float, float, float, float]


class TextureStatistics(Record):
    """Section `texture` of a model."""

    voxel_size_nm: VoxelSize
    mean: _OfEachFeature
    precision: tuple[_OfEachFeature, _OfEachFeature, _OfEachFeature, _OfEachFeature]
    limit: float = Field(gt=0)

    def foreign(self, gray: Gray, mask: Mask) -> Mask:
        """Voxels of the tiles that are unlike the training data, among those that lie wholly in `mask`.

        A region of tiles beyond the limit counts if one of them is far beyond it, with the tiles beside the region.
        """
        side = _side(gray.shape, self.voxel_size_nm)
        away = tile_features(gray, self.voxel_size_nm) - np.array(self.mean)
        squared = np.einsum("ni,ij,nj->n", away, np.array(self.precision), away)
        whole = _tile_means(mask.astype(np.float32), side) == 1
        distance = np.where(whole, np.sqrt(np.maximum(squared, 0)) / self.limit, 0)
        tiles = distance.reshape([n // s for n, s in zip(gray.shape, side, strict=True)])
        everywhere = np.ones((3, 3, 3), bool)
        found = ndimage.binary_propagation(tiles > _FAR, everywhere, mask=tiles > 1)
        # A tile that is foreign in a part may look like tissue, and lead segments through it.
        found = ndimage.binary_dilation(found, everywhere)
        for axis, length in enumerate(side):
            found = found.repeat(length, axis)
        beyond = [(0, n - m) for n, m in zip(gray.shape, found.shape, strict=True)]
        voxels: Mask = np.pad(found, beyond, mode="edge")
        return voxels


def foreign_texture(image: Inspection) -> Iterator[ImageFault]:
    """Tissue unlike the training data; nothing without a trained model, or where no tissue remains."""
    if image.texture is None or not image.mask.any():
        return
    where = image.texture.foreign(image.gray, image.mask) & image.mask
    if where.any():
        yield ImageFault("foreign-texture", "unlike the training data", where)


def texture_statistics(volumes: Sequence[Gray], voxel_size_nm: VoxelSize) -> TextureStatistics:
    """Statistics of training volumes, uint8 ZYX."""
    tiles = np.concatenate([tile_features(volume, voxel_size_nm) for volume in volumes])
    mean = tiles.mean(axis=0)
    # A little of each feature's own variance keeps the matrix regular when there are few tiles.
    covariance = np.cov(tiles.T) + np.diag(0.05 * tiles.var(axis=0) + 1e-6)
    precision = np.linalg.inv(covariance)
    away = tiles - mean
    distance = np.sqrt(np.einsum("ni,ij,nj->n", away, precision, away))
    return TextureStatistics(
        voxel_size_nm=voxel_size_nm,
        mean=mean.tolist(),
        precision=precision.tolist(),
        limit=float(_MARGIN * np.quantile(distance, 0.999)),
    )


def tile_features(gray: Gray, voxel_size_nm: VoxelSize) -> npt.NDArray[np.float64]:
    """Features (tiles, 4) of the whole tiles of a volume; a volume smaller than a tile is one tile."""
    setting = Setting(voxel_size_nm)
    side = _side(gray.shape, voxel_size_nm)
    image = gray.astype(np.float32)
    fine, coarse = (gaussian_smoothing(image, setting.in_voxels(s), window_size=3.0) for s in (_FINE_NM, _COARSE_NM))
    rows = [
        _tile_means(image, side),
        np.log(_tile_deviation(image, side) + 1),
        np.log(_tile_deviation(image - fine, side) + 1),
        np.log(_tile_deviation(fine - coarse, side) + 1),
    ]
    features: npt.NDArray[np.float64] = np.stack(rows, axis=1).astype(np.float64)
    return features


def tile_vox(voxel_size_nm: VoxelSize) -> Margin:
    """Voxels of a tile, Z Y X: 16 of 10 nm."""
    z, y, x = (max(1, round(length)) for length in Setting(voxel_size_nm).in_voxels(TILE_NM))
    return z, y, x


def _side(shape: tuple[int, ...], voxel_size_nm: VoxelSize) -> list[int]:
    return [min(n, length) for n, length in zip(shape, tile_vox(voxel_size_nm), strict=True)]


def _tile_means(image: npt.NDArray[np.float32], side: Sequence[int]) -> npt.NDArray[np.float32]:
    z, y, x = (n // s for n, s in zip(image.shape, side, strict=True))
    whole = image[: z * side[0], : y * side[1], : x * side[2]]
    means: npt.NDArray[np.float32] = whole.reshape(z, side[0], y, side[1], x, side[2]).mean(axis=(1, 3, 5)).ravel()
    return means


def _tile_deviation(image: npt.NDArray[np.float32], side: Sequence[int]) -> npt.NDArray[np.float32]:
    mean, squares = _tile_means(image, side), _tile_means(image * image, side)
    deviation: npt.NDArray[np.float32] = np.sqrt(np.maximum(squares - mean**2, 0))
    return deviation
