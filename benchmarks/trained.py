"""Halves of the labelled volume and models trained on one of them, so that the other is tissue kept aside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.data import LabelledEm
from emseg.segment.model import TrainingRegion, file_source
from emseg.training import TrainingSource, TrainingVolume
from emseg.training.train import Trained, train

Z, Y, X = 0, 1, 2
VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
Volume = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]
"""Grayscale and ground truth of one shape, ZYX."""


def half(em: LabelledEm, axis: int, number: int) -> Volume:
    """The first (0) or second (1) half along an axis."""
    gray, truth = (np.array_split(volume, 2, axis)[number] for volume in (em.grayscale, em.groundtruth))
    return np.ascontiguousarray(gray), np.ascontiguousarray(truth)


def trained_on(learned: Volume, preset: str, seed: int = 0) -> Trained:
    """What `emseg train` makes of these voxels of 10 nm."""
    gray, truth = learned
    region = TrainingRegion(source=file_source(gray), start=(0, 0, 0), stop=gray.shape)
    return train([TrainingSource(TrainingVolume(gray, truth, VOXEL_SIZE_NM), region)], preset, seed, lambda _: None)
