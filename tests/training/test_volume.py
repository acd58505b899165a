"""Volumes to learn from: their boundary voxels, and data that nothing can be learned from are refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import find_boundaries
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.synthetic import make_volume
from emseg.training import BoundarySettings, EdgeSettings, TrainingVolume, train_boundary, train_edges
from emseg.training.presets import training_settings

ISOTROPIC = (10.0, 10.0, 10.0)


def boundary_settings() -> BoundarySettings:
    """Those of `default`; nothing here gets so far that it trains."""
    return training_settings("default").boundary


def quiet(_: str) -> None:
    """Say nothing."""


def test_boundary_voxels_are_those_of_scikit_image():
    made = make_volume((40, 48, 44), seed=21)
    truth = made.groundtruth.astype(np.int64)
    found = TrainingVolume(made.grayscale, truth, ISOTROPIC).boundary()
    assert np.array_equal(found, find_boundaries(truth, mode="thick", connectivity=1))


def test_unlabelled_voxels_make_no_boundary():
    labels = np.zeros((40, 4, 4), np.int32)
    labels[:10], labels[10:20] = 1, 2
    found = TrainingVolume(labels.astype(np.uint8), labels, ISOTROPIC).boundary()
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [9, 10]


GRAY = np.random.default_rng(0).integers(0, 255, (8, 40, 40), dtype=np.uint8)
LABELS = np.zeros(GRAY.shape, np.int64)
LABELS[:, :, :13], LABELS[:, :, 13:27], LABELS[:, :, 27:] = 1, 2, 3


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({"grayscale": GRAY.astype(np.float32)}, ("uint8", "float32 (8, 40, 40)")),
        ({"grayscale": np.full(GRAY.shape, np.nan)}, ("uint8", "float64 (8, 40, 40)")),
        ({"groundtruth": LABELS[:4]}, ("int64 (4, 40, 40)",)),
        ({"groundtruth": LABELS.astype(float)}, ("float64 (8, 40, 40)",)),
        ({"grayscale": np.full(GRAY.shape, 7, np.uint8)}, ("grayscale", 7)),
        ({"groundtruth": np.zeros_like(LABELS)}, ("0 of 12800 voxels",)),
        ({"groundtruth": np.ones_like(LABELS)}, ("half 1", "0 voxels", 6400)),
        ({"grayscale": GRAY[:, :20, :20], "groundtruth": LABELS[:, :20, :20]}, ("uint8 (8, 20, 20)", 32)),
        ({"voxel_size_nm": (10.0, 0.0, 10.0)}, ((10.0, 0.0, 10.0),)),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused_by_name(changes, values):
    given = {"grayscale": GRAY, "groundtruth": LABELS, "voxel_size_nm": ISOTROPIC}
    with refused(PermanentError, "volume 1 of 1", *values):
        train_boundary([TrainingVolume(**{**given, **changes})], boundary_settings(), 0, quiet)


@pytest.mark.parametrize(
    ("side", "truth", "values"), [(20, LABELS, ("4 contacts", 40)), (4, np.ones_like(LABELS), ("460 contacts",))]
)
def test_contacts_that_teach_nothing_are_refused_by_name(side, truth, values):
    """Kills an error of LightGBM in place of a message: few large supervoxels, or one body of many small ones.

    By hand: 1 x 2 x 2 supervoxels of 20 voxels a side touch 4 times, 2 x 10 x 10 of 4 voxels 100 + 2 x 180 times.
    """
    z, y, x = np.indices(GRAY.shape) // side
    supervoxels = (1 + x + 100 * y + 10_000 * z).astype(np.uint32)
    probability = (GRAY / 255).astype(np.float32)
    volume = TrainingVolume(GRAY, truth, ISOTROPIC)
    with refused(PermanentError, *values):
        train_edges([volume], [probability], [supervoxels], (128, 40), EdgeSettings(), 0, quiet)


def test_no_volume_and_different_voxels_are_refused():
    with refused(PermanentError, "0 volumes"):
        train_boundary([], boundary_settings(), 0, quiet)
    volumes = [TrainingVolume(GRAY, LABELS, size) for size in (ISOTROPIC, (40.0, 4.0, 4.0))]
    with refused(PermanentError, ISOTROPIC, (40.0, 4.0, 4.0)):
        train_boundary(volumes, boundary_settings(), 0, quiet)
