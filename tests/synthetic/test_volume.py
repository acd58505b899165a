"""Synthetic volumes: reproducible, exact, and hard enough to mean something."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import find_boundaries

from emseg.geometry import Box
from emseg.synthetic import make_volume
from emseg.synthetic.noise import smooth_noise

SHAPE = (96, 112, 104)
BLANK = Box((40, 0, 0), (52, 112, 104))


@pytest.fixture(scope="module")
def volume():
    return make_volume(SHAPE, seed=5)


@pytest.fixture(scope="module")
def blanked():
    return make_volume(SHAPE, seed=5, blank=BLANK)


def digest(volume) -> str:
    return hashlib.sha256(volume.grayscale.tobytes() + volume.groundtruth.tobytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(volume):
    """Kills a global random state."""
    np.random.seed(99)
    assert digest(make_volume(SHAPE, seed=5)) == digest(volume)
    assert digest(make_volume(SHAPE, seed=6)) != digest(volume)


@pytest.mark.parametrize("name", ["volume", "blanked"])
def test_every_body_is_one_six_connected_piece(name, request):
    """Kills Voronoi cells cut off by another neurite. Oracle: scipy, one body at a time."""
    truth = request.getfixturevalue(name).groundtruth
    for body, box in enumerate(ndimage.find_objects(truth.astype(np.int32)), start=1):
        assert ndimage.label(truth[box] == body)[1] == 1, f"body {body}"


def test_tissue_is_filled_and_only_the_blank_strip_is_not(volume, blanked):
    """Kills unlabelled gaps between neurites, and a blank strip with ground truth in it."""
    assert volume.groundtruth.all()
    blank = np.zeros(SHAPE, bool)
    blank[BLANK.slices()] = True
    assert np.array_equal(blanked.groundtruth == 0, blank)
    assert np.array_equal(blanked.grayscale == 0, blank)


def test_types_and_ids_are_what_ingest_expects(volume):
    assert (volume.grayscale.dtype, volume.groundtruth.dtype) == (np.uint8, np.uint64)
    assert volume.grayscale.shape == volume.groundtruth.shape == SHAPE
    ids = np.unique(volume.groundtruth)
    assert ids.tolist() == list(range(1, len(ids) + 1))


def test_borders_are_dark_and_insides_light_with_dark_organelles_in_them(volume):
    """Kills grayscale drawn from another volume than the ground truth, and tissue with nothing to mislead a step."""
    gray, inside = volume.grayscale, ~find_boundaries(volume.groundtruth.astype(np.int64), mode="thick", connectivity=1)
    deep = ndimage.binary_erosion(inside, iterations=4)
    assert np.median(gray[deep]) - np.median(gray[~inside]) > 40
    assert 0.005 < (gray[deep] < 105).mean() < 0.2


def test_bodies_run_through_several_cells_of_64_voxels():
    """Kills a packing of blobs, on which stitching would have nothing to do: most tissue is in bodies of 4 cells up."""
    truth = make_volume((128, 128, 128), seed=3).groundtruth.astype(np.int64)
    half = np.arange(128) // 64
    cell = 4 * half[:, None, None] + 2 * half[:, None] + half
    pairs = np.unique(truth * 8 + cell)
    cells = np.bincount(pairs // 8)
    assert (cells[truth] >= 4).mean() > 0.5
    assert len(cells) - 1 >= 15


@pytest.mark.parametrize("sigma", [1.3, 5.0, 14.0])
def test_smooth_noise_has_unit_spread_and_is_smooth(sigma):
    """Kills a coarse lattice whose steps show: neighbours differ by less than a sigma's worth."""
    field = smooth_noise((40, 50, 60), sigma, np.random.default_rng(0))
    assert field.shape == (40, 50, 60)
    assert field.dtype == np.float32
    assert (field.mean(), field.std()) == pytest.approx((0, 1), abs=1e-3)
    assert np.abs(np.diff(field, axis=2)).mean() < 1.2 / sigma
