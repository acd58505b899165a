"""Training of the pixel classifier, with an out-of-fold probability for every training voxel.

Each volume is cut into two halves, and a forest that was trained on one half predicts the other. So a second pass, and
the agglomeration after it, learn from probabilities as they will be on new tissue. The forest that goes into the model
is trained on both halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.segment.boundary import BoundaryPass, normalised, one_pass, tile_voxels
from emseg.segment.features import FeatureBank, Image, feature_tiles
from emseg.segment.forest import MAX_LEAVES, Forest
from emseg.segment.protocol import Probability
from emseg.training.figures import Separation, separation
from emseg.training.lightgbm_text import importances, trained
from emseg.training.volume import TrainingVolume, check_volumes

PARAMETERS: dict[str, Any] = {
    "num_leaves": MAX_LEAVES - 1,
    "learning_rate": 0.1,
    "min_data_in_leaf": 50,
    # Without this limit a few voxels on which the earlier trees are sure and wrong make a leaf of thousands of
    # log-odds, and one tree overrules all others wherever that leaf is reached.
    "min_sum_hessian_in_leaf": 10,
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class BoundarySettings:
    """Features of each pass, and how much is learned: `samples` voxels of each half, half of them boundary."""

    banks: tuple[FeatureBank, ...]
    samples: int
    trees: int


@dataclass(frozen=True, eq=False)
class TrainedPass:
    """One pass: the text of its forest, how well the halves predict each other, and what the forest splits by."""

    bank: FeatureBank
    text: str
    figures: Separation
    importances: dict[str, float]


@dataclass(frozen=True, eq=False)
class TrainedBoundary:
    """All passes, and the out-of-fold probability of the last one for each volume."""

    gray_mean: float
    gray_std: float
    passes: tuple[TrainedPass, ...]
    probabilities: tuple[Probability, ...]


def train_boundary(
    volumes: Sequence[TrainingVolume], settings: BoundarySettings, seed: int, say: Say
) -> TrainedBoundary:
    """Train all passes; PermanentError for volumes that cannot be learned from. Deterministic by seed."""
    check_volumes(volumes)
    mean, std = _gray_levels(volumes)
    everywhere = [np.ones(volume.grayscale.shape, bool) for volume in volumes]
    images = [
        {"gray": normalised(volume.grayscale, mask, mean, std)}
        for volume, mask in zip(volumes, everywhere, strict=True)
    ]
    passes = []
    for number, bank in enumerate(settings.banks, 1):
        say(f"pixel classifier, pass {number} of {len(settings.banks)}: {len(bank.names)} features")
        rng = np.random.default_rng([seed, number])
        made = _train_pass(volumes, images, bank, settings, rng, say)
        passes.append(made)
    return TrainedBoundary(mean, std, tuple(passes), tuple(image["probability"] for image in images))


def _gray_levels(volumes: Sequence[TrainingVolume]) -> tuple[float, float]:
    """Mean and deviation of the gray levels of all labelled voxels."""
    counts = np.sum([np.bincount(v.grayscale[v.groundtruth != 0], minlength=256) for v in volumes], axis=0)
    levels = np.arange(256)
    mean = float((counts * levels).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))


def _train_pass(
    volumes: Sequence[TrainingVolume],
    images: Sequence[dict[str, Image]],
    bank: FeatureBank,
    settings: BoundarySettings,
    rng: np.random.Generator,
    say: Say,
) -> TrainedPass:
    """One pass; each of `images` gets its new out-of-fold probability."""
    chosen = _chosen(volumes, settings.samples, rng)
    samples = [
        _features_at(image, bank, volume, voxels) for image, volume, voxels in zip(images, volumes, chosen, strict=True)
    ]
    matrix = np.concatenate([features for features, _, _ in samples])
    target = np.concatenate([target for _, target, _ in samples])
    half = np.concatenate([half for _, _, half in samples])
    seed = int(rng.integers(2**31))

    def forest(rows: npt.NDArray[np.bool_] | slice) -> str:
        return trained(matrix[rows], target[rows], bank.names, PARAMETERS, settings.trees, seed)

    say(f"  {len(matrix)} samples; a forest of each half predicts the other")
    halves = [BoundaryPass(bank, Forest.from_text(forest(half != fold), f"half {fold}")) for fold in range(2)]
    for volume, image in zip(volumes, images, strict=True):
        # The probability of the pass before is needed until both halves are predicted.
        predicted = [one_pass(each, image, volume.voxel_size_nm) for each in halves]
        image["probability"] = np.empty(volume.grayscale.shape, np.float32)
        for fold, part in enumerate(volume.halves):
            image["probability"][part] = predicted[fold][part]
    figures = _figures(volumes, images)
    say(f"  out-of-fold average precision {figures.average_precision:.4f}; training the forest that is kept")
    text = forest(slice(None))
    return TrainedPass(bank, text, figures, importances(text))


def _chosen(volumes: Sequence[TrainingVolume], samples: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Flat indices of the voxels to learn from: half of them boundary, equally many of each half, volumes by size."""
    total = sum(volume.grayscale.size for volume in volumes)
    chosen = []
    for volume in volumes:
        boundary, labelled = volume.boundary(), volume.groundtruth != 0
        wanted = max(1, round(samples / 2 * volume.grayscale.size / total))
        numbers = np.arange(volume.grayscale.size).reshape(volume.grayscale.shape)
        parts = []
        for half in volume.halves:
            for kind in (boundary[half], labelled[half] & ~boundary[half]):
                found = numbers[half][kind]
                parts.append(rng.choice(found, min(wanted, len(found)), replace=False))
        chosen.append(np.sort(np.concatenate(parts)))
    return chosen


def _features_at(
    image: dict[str, Image], bank: FeatureBank, volume: TrainingVolume, voxels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """For the voxels of flat indices `voxels`: features (samples, F), whether it is boundary, and the half it is in."""
    shape = volume.grayscale.shape
    row_of = np.full(shape, -1, np.int32)
    row_of.ravel()[voxels] = np.arange(len(voxels))
    features = np.empty((len(voxels), len(bank.names)), np.float32)
    for tile in feature_tiles(image, bank, volume.voxel_size_nm, tile_voxels(volume.grayscale.size)):
        rows = row_of[tile.core].ravel()
        wanted = np.flatnonzero(rows >= 0)
        features[rows[wanted]] = tile.features[:, wanted].T
    half = np.zeros(shape, bool)
    half[volume.halves[1]] = True
    return features, volume.boundary().ravel()[voxels], half.ravel()[voxels].astype(np.int64)


def _figures(volumes: Sequence[TrainingVolume], images: Sequence[dict[str, Image]]) -> Separation:
    labelled = [volume.groundtruth != 0 for volume in volumes]
    score = np.concatenate([i["probability"][m] for i, m in zip(images, labelled, strict=True)])
    return separation(score, np.concatenate([v.boundary()[m] for v, m in zip(volumes, labelled, strict=True)]))
