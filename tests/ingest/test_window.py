"""16 bits become 8 through the window that a person chose, and the share outside of it is counted."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import rescale_intensity
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import WindowedSource
from emseg.ingest.arrays import ArrayVolume


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("u2", 1000, 40000), (">u2", 0, 65535), ("i2", -20000, 300), ("u1", 20, 21)]
)
def test_values_are_scaled_as_scikit_image_scales_them(dtype: str, low: int, high: int) -> None:
    """Oracle: `rescale_intensity`. Kills wrap-around of signed and of clipped values, and swapped bytes."""
    limits = np.iinfo(dtype)
    volume = np.random.default_rng(1).integers(limits.min, limits.max, (5, 40, 30), endpoint=True).astype(dtype)
    windowed = WindowedSource(ArrayVolume(volume, "v.npy"), low, high)
    box = Box((1, 2, 3), (4, 40, 30))
    found = windowed.read(box)
    expected = rescale_intensity(volume.astype(float), (low, high), (0, 255))[box.slices()]
    np.testing.assert_array_equal(found, np.rint(expected))
    assert found.dtype == np.uint8
    outside = (volume < low) | (volume > high)
    assert (windowed.clipped, windowed.voxels) == (np.count_nonzero(outside[box.slices()]), box.voxels)
    windowed.recount()
    assert windowed.voxels == 0


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("u2", 5, 5), ("u2", 9, 3), ("u2", -1, 9), ("u2", 0, 65536), ("f4", 0, 1), ("u4", 0, 9)]
)
def test_what_is_no_window_is_refused(dtype: str, low: int, high: int) -> None:
    with refused(PermanentError, "v.npy", f"window {low} to {high}"):
        WindowedSource(ArrayVolume(np.zeros((2, 2, 2), dtype), "v.npy"), low, high)
