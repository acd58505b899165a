"""Texture statistics: what was trained on is not foreign, what looks otherwise is, and where; in nm, kept as JSON."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from emseg.segment.image_checks.texture import TextureStatistics, texture_statistics
from emseg.synthetic import make_volume

ISOTROPIC = (10.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def clean():
    return make_volume((64, 96, 96), seed=5).grayscale


def share_of_foreign(gray, texture) -> float:
    return float(texture.foreign(gray, np.ones(gray.shape, bool)).mean())


def test_other_tissue_of_the_same_kind_is_not_foreign(clean):
    """Kills statistics that only know the very voxels of training."""
    texture = texture_statistics([clean], ISOTROPIC)
    assert share_of_foreign(make_volume((64, 96, 96), seed=11).grayscale, texture) == 0


@pytest.mark.parametrize(
    "changed",
    [
        lambda gray: ndimage.gaussian_filter(gray, 2),
        lambda gray: gray // 3,
        lambda gray: np.random.default_rng(0).integers(0, 256, gray.shape, np.uint8),
    ],
    ids=["blurred", "dark", "noise"],
)
def test_tissue_that_looks_otherwise_is_foreign(clean, changed):
    """Kills a distance that leaves out one of brightness, contrast and roughness."""
    assert share_of_foreign(changed(clean), texture_statistics([clean], ISOTROPIC)) > 0.9


def test_what_is_not_in_the_mask_is_not_judged(clean):
    texture = texture_statistics([clean], ISOTROPIC)
    gray = clean.copy()
    gray[:, :, 64:] = 0
    mask = np.ones(gray.shape, bool)
    mask[:, :, 48:] = False
    assert not texture.foreign(gray, mask).any()


def test_statistics_survive_json_bit_for_bit(clean):
    """Kills a model that judges otherwise after it was stored."""
    texture = texture_statistics([clean], ISOTROPIC)
    assert TextureStatistics.model_validate_json(texture.model_dump_json()) == texture


def test_statistics_are_deterministic_and_do_not_depend_on_the_order_of_volumes(clean):
    other = make_volume((64, 96, 96), seed=11).grayscale
    first, second = texture_statistics([clean, other], ISOTROPIC), texture_statistics([other, clean], ISOTROPIC)
    assert texture_statistics([clean, other], ISOTROPIC) == first
    assert np.allclose(first.mean, second.mean)
    assert first.limit == pytest.approx(second.limit)
