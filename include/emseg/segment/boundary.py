"""The trained pixel classifier: boundary probability of every voxel, from features of the grayscale at several scales.

It may take two passes. The second also sees features of the first one's probability, and so a wider surrounding
(auto-context: Tu & Bai, TPAMI 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from emseg.config.base import Record
from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, Coordinate, VoxelSize
from emseg.segment.features import FeatureBank, Image, feature_tiles
from emseg.segment.forest import Forest
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Gray, Margin, Mask, Probability

SECTION = "boundary"


class PassDescription(Record):
    """One pass in `model.json`: its features, and the file of its forest."""

    bank: FeatureBank
    forest: str


class BoundaryDescription(Record):
    """Section `boundary` of a model: gray levels are taken in deviations from the mean of the training data."""

    gray_mean: float
    gray_std: float = Field(gt=0)
    passes: tuple[PassDescription, ...] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class BoundaryPass:
    """Features and the forest that was trained on them."""

    bank: FeatureBank
    forest: Forest


@dataclass(frozen=True, eq=False)
class BoundaryClassifier:
    """All passes of a model."""

    gray_mean: float
    gray_std: float
    passes: tuple[BoundaryPass, ...]

    @classmethod
    def of(cls, model: ModelFolder) -> BoundaryClassifier:
        """The classifier in a model folder; PermanentError where forest and description do not fit each other."""
        description = model.section(SECTION, BoundaryDescription)
        return cls(
            description.gray_mean,
            description.gray_std,
            tuple(BoundaryPass(p.bank, forest_of(model, p.forest, p.bank.names)) for p in description.passes),
        )

    def reach_vox(self, voxel_size_nm: VoxelSize) -> Margin:
        """Voxels, Z Y X, that a voxel's probability looks at: a second pass looks from where the first one looked."""
        return sum((Coordinate.of(each.bank.reach_vox(voxel_size_nm)) for each in self.passes), ORIGIN)

    def predict(self, gray: Gray, mask: Mask, voxel_size_nm: VoxelSize) -> Probability:
        """Boundary probability, float32 of the shape of `gray`.

        Voxels outside the mask count as average gray, so that padding makes no boundary beside it.
        """
        images = {"gray": normalised(gray, mask, self.gray_mean, self.gray_std)}
        for each in self.passes:
            images["probability"] = one_pass(each, images, voxel_size_nm)
        return images["probability"]


def one_pass(each: BoundaryPass, images: dict[str, Image], voxel_size_nm: VoxelSize) -> Probability:
    """Probability of every voxel by one pass; `images` as its bank names them."""
    shape = images["gray"].shape
    probability = np.empty(shape, np.float32)
    for tile in feature_tiles(images, each.bank, voxel_size_nm, tile_voxels(probability.size)):
        part = probability[tile.core]
        part[...] = each.forest.predict(tile.features).reshape(part.shape)
    return probability


def normalised(gray: Gray, mask: Mask, mean: float, std: float) -> Image:
    """Gray levels as deviations from the training data: `(gray - mean) / std`, 0 outside the mask."""
    table = ((np.arange(256) - mean) / std).astype(np.float32)
    image: Image = table[gray]
    image[~mask] = 0
    return image


def tile_voxels(voxels: int) -> int:
    """Voxels of a tile: a twelfth of the volume, so that features cost few bytes a voxel; margins cost time.

    Below a million voxels tiles do not shrink with the volume, and a voxel costs more, though the whole costs little.
    """
    return min(max(voxels // 12, 60_000), 2_000_000)


def forest_of(model: ModelFolder, name: str, features: tuple[str, ...]) -> Forest:
    """Forest in file `name` of a model, trained on exactly these features; PermanentError otherwise."""
    on = f"{name} of model {model.digest[:12]}"
    forest = Forest.from_text(model.file(name).decode("ascii", "replace"), on)
    if forest.features != features:
        raise PermanentError(
            "reading a forest",
            on,
            f"it was trained on {len(forest.features)} features, and its description has {len(features)} "
            "or names them otherwise",
            "Train the model again with this version of emseg",
        )
    return forest
