"""Features: the same wherever a tile is cut, no farther than they say, and physical lengths on any voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from emseg.segment.features import FeatureBank, ImageFeatures, Scale, averaged, feature_tiles

ISOTROPIC = (10.0, 10.0, 10.0)
BANK = FeatureBank(
    images=(
        ImageFeatures(
            image="gray", scales=(Scale(sigma_nm=10, structure_nm=12), Scale(sigma_nm=35), Scale(sigma_nm=70))
        ),
    )
)


def texture(shape, seed=0):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 1, shape), 1.5).astype(np.float32)


def features(image, bank=BANK, size=ISOTROPIC, tile_voxels=10**9):
    out = np.full((len(bank.names), *image.shape), np.nan, np.float32)
    for tile in feature_tiles({"gray": image}, bank, size, tile_voxels):
        part = out[:, *tile.core]
        part[...] = tile.features.reshape(part.shape)
    return out


def named(found, name, bank=BANK):
    return found[bank.names.index(name)]


@settings(max_examples=8)
@given(st.tuples(*[st.integers(9, 40)] * 3), st.integers(600, 20_000), st.integers(0, 9))
def test_tiles_give_the_features_of_the_whole(shape, tile_voxels, seed):
    """Kills a tile without the margin that its filters need, and voxels that no tile covers."""
    image = texture(shape, seed)
    whole = features(image)
    assert np.isfinite(whole).all()
    assert np.allclose(features(image, tile_voxels=tile_voxels), whole, atol=2e-5)


def test_nothing_beyond_the_reach_enters_a_feature():
    """Kills a declared halo that forgets the averaging or the interpolation of the coarse scales."""
    bank = BANK
    reach = bank.reach_vox(ISOTROPIC)
    shape = tuple(2 * r + 9 for r in reach)
    image = texture(shape, 3)
    other = image.copy()
    core = tuple(slice(r, r + 9) for r in reach)
    outside = np.ones(shape, bool)
    outside[tuple(slice(s.start - r, s.stop + r) for s, r in zip(core, reach, strict=True))] = False
    other[outside] = 9
    assert np.allclose(features(image)[(slice(None), *core)], features(other)[(slice(None), *core)], atol=1e-5)


def test_fine_features_are_those_of_scipy():
    """Kills sigmas in other units, and eigenvalues in another order. Sums of them are the Laplacian."""
    image = texture((24, 26, 28), 1)
    found = features(image)
    inner = (slice(6, -6),) * 3
    options = {"sigma": 1.0, "truncate": 3.0, "mode": "mirror"}
    assert np.allclose(
        named(found, "gray_gaussian_10nm")[inner], ndimage.gaussian_filter(image, **options)[inner], atol=1e-3
    )
    laplacian = ndimage.gaussian_laplace(image.astype(float), 1.0, truncate=3.0)
    assert np.corrcoef(named(found, "gray_laplacian_10nm")[inner].ravel(), laplacian[inner].ravel())[0, 1] > 0.99
    eigenvalues = np.stack([named(found, f"gray_hessian{k}_10nm") for k in (1, 2, 3)])
    assert (np.diff(eigenvalues, axis=0) <= 1e-6).all()
    assert np.allclose(eigenvalues.sum(0), named(found, "gray_laplacian_10nm"), atol=1e-5)


@pytest.mark.parametrize("shape", [(24, 24, 24), (17, 30, 23)])
def test_coarse_features_are_near_those_of_full_resolution(shape):
    """Kills a copy that is shifted by half a coarse voxel when it is interpolated back."""
    image = ndimage.gaussian_filter(texture(tuple(3 * n for n in shape), 2), 2).astype(np.float32)
    found = named(features(image), "gray_gaussian_35nm")
    expected = ndimage.gaussian_filter(image, 3.5)
    inner = (slice(12, -12),) * 3
    assert np.corrcoef(found[inner].ravel(), expected[inner].ravel())[0, 1] > 0.995


def test_averages_are_means_over_blocks_and_over_the_rest_at_the_end():
    """By hand: 1 2 | 3 4 | 5 along X."""
    row = np.array([1, 2, 3, 4, 5], np.float32).reshape(1, 1, 5)
    assert averaged(row, (1, 1, 2)).ravel().tolist() == [1.5, 3.5, 5.0]
    cube = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    assert averaged(cube, (3, 3, 3)).ravel().tolist() == [13.0]


def test_thick_sections_are_looked_at_in_the_plane():
    """Kills voxel sigmas: at 40 x 4 x 4 nm a wide filter reaches as far in nm, and a fine one stays in its section."""
    size = (40.0, 4.0, 4.0)
    z, y, x = BANK.reach_vox(size)
    isotropic = BANK.reach_vox(ISOTROPIC)
    assert y == x > isotropic[1]
    assert z < isotropic[0]
    flat = FeatureBank(images=(ImageFeatures(image="gray", scales=(Scale(sigma_nm=7),)),))
    image = np.zeros((7, 30, 30), np.float32)
    image[3, 15, 15] = 1
    response = named(features(image, flat, size), "gray_gaussian_7nm", flat)
    assert response[2, 15, 15] < 0.05 * response[3, 15, 15]
    assert response[3, 15, 17] > 0.3 * response[3, 15, 15]


def test_a_second_pass_sees_two_images_under_their_names():
    bank = FeatureBank(
        images=(
            ImageFeatures(image="probability", scales=(Scale(sigma_nm=10),)),
            ImageFeatures(image="gray", scales=()),
        )
    )
    assert bank.names[0] == "probability_value"
    assert bank.names[-1] == "gray_value"
    images = {"gray": texture((9, 9, 9)), "probability": texture((9, 9, 9), 5)}
    (tile,) = feature_tiles(images, bank, ISOTROPIC, 10**6)
    assert np.array_equal(tile.features[0], images["probability"].ravel())
    assert np.array_equal(tile.features[-1], images["gray"].ravel())
