"""The band at boundaries is where SciPy's distance to the nearest voxel of another label says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from emseg.evaluate import band_margin, near_boundary


def oracle(labels: np.ndarray, band_nm: float, voxel_size_nm: tuple[float, float, float]) -> np.ndarray:
    """Label by label, in 64 bits; an array of one label has no boundary."""
    near = np.zeros(labels.shape, bool)
    for label in set(np.unique(labels)) - {0}:
        own = labels == label
        if not own.all():
            near |= own & (distance_transform_edt(own, sampling=voxel_size_nm) <= band_nm + 1e-9)
    return near


def blobs(seed: int, shape: tuple[int, int, int] = (20, 30, 40)) -> np.ndarray:
    """Ground truth in cells of some voxels, a third of them without a label, one body in several parts."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, shape, (25, 3))
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    nearest = np.argmin(((grid[..., None, :] - seeds) ** 2).sum(-1), axis=-1)
    return rng.choice(np.array([0, 1, 2, 2**60, 2**60 + 1, 7], np.uint64), 25)[nearest]


@pytest.mark.parametrize("band_nm", [0.5, 4.0, 12.0, 24.0, 41.0])
@pytest.mark.parametrize("voxel_size_nm", [(8.0, 8.0, 8.0), (40.0, 4.0, 4.0), (4.0, 12.0, 6.5)])
def test_the_band_is_that_of_scipy(band_nm: float, voxel_size_nm: tuple[float, float, float]) -> None:
    """Kills turned axes, a voxel's own half edge taken off, faces of the array as boundaries, and ids in floats."""
    labels = blobs(int(band_nm))
    np.testing.assert_array_equal(near_boundary(labels, band_nm, voxel_size_nm), oracle(labels, band_nm, voxel_size_nm))


def test_the_worked_example_of_the_module_holds() -> None:
    labels = np.array([[[1, 1, 1, 2, 2, 0]]], np.uint64)
    assert near_boundary(labels, 8.0, (8.0, 8.0, 8.0)).tolist() == [[[False, False, True, True, True, False]]]


def test_one_label_alone_has_no_boundary() -> None:
    """Kills an infinite distance that is compared the wrong way round."""
    assert not near_boundary(np.ones((3, 4, 5), np.uint64), 100.0, (8.0, 8.0, 8.0)).any()
    assert not near_boundary(np.zeros((3, 4, 5), np.uint64), 100.0, (8.0, 8.0, 8.0)).any()


@pytest.mark.parametrize("band_nm", [4.0, 12.0, 31.9, 32.0, 40.0])
def test_the_margin_is_enough_for_every_part(band_nm: float) -> None:
    """Kills a halo that is one voxel short: parts are cut at random and compared with the whole."""
    labels, size = blobs(3), (40.0, 8.0, 4.0)
    whole, margin = near_boundary(labels, band_nm, size), band_margin(band_nm, size)
    rng = np.random.default_rng(5)
    for _ in range(20):
        start = rng.integers((0, 0, 0), np.array(labels.shape) - 1)
        stop = rng.integers(start + 1, np.array(labels.shape) + 1)
        low, high = np.maximum(start - margin, 0), np.minimum(stop + margin, labels.shape)
        part = near_boundary(labels[tuple(map(slice, low, high))], band_nm, size)
        inner = tuple(map(slice, start - low, stop - low))
        np.testing.assert_array_equal(part[inner], whole[tuple(map(slice, start, stop))])
