"""Pictures are read back as pixels: what a person must be able to see is counted."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.quality import picture_slices, sizes_picture, slices_picture
from emseg.quality.pictures import _overlaid


def pixels(png: bytes):
    import matplotlib.image

    return matplotlib.image.imread(BytesIO(png))


@pytest.fixture
def volume():
    rng = np.random.default_rng(0)
    gray = rng.integers(60, 200, (9, 32, 32), dtype=np.uint8)
    truth = np.ones((9, 32, 32), np.uint32)
    truth[:, :, 16:] = 2
    return gray, truth.astype(np.uint64) + 100, truth


def test_ground_truth_adds_a_column(volume):
    gray, segmentation, truth = volume
    with_truth, without = (
        pixels(slices_picture(gray, segmentation, truth, range(len(gray)), "t")),
        pixels(slices_picture(gray, segmentation, None, range(len(gray)), "t")),
    )
    assert with_truth.shape[1] == pytest.approx(1.5 * without.shape[1], rel=0.01)


def test_boundary_probability_adds_a_column_of_its_own_grays(volume):
    """Kills a probability that is stretched to its own range: a faint membrane would look like a sure one."""
    gray, segmentation, truth = volume
    grays = {}
    for level in (0.0, 0.25):
        probability = np.full(gray.shape, level, np.float32)
        seen = pixels(slices_picture(gray, segmentation, truth, range(len(gray)), "t", probability))[..., :3]
        grays[level] = int(np.all(np.abs(seen - level) < 0.01, axis=-1).sum())
        without = pixels(slices_picture(gray, segmentation, truth, range(len(gray)), "t"))
        assert seen.shape[1] == pytest.approx(4 / 3 * without.shape[1], rel=0.01)
    assert min(grays.values()) > 0.1 * seen.shape[0] * seen.shape[1]
    with pytest.raises(PermanentError):
        slices_picture(gray, segmentation, truth, range(len(gray)), "t", probability[:, :5])


def test_the_slices_of_a_large_region_are_its_middle():
    """By hand. Kills a corner in place of the middle, and a middle that is measured from voxel 0 of the volume."""
    region = Box((100, 50, 7), (112, 2050, 507))
    assert picture_slices(region) == [Box((z, 538, 7), (z + 1, 1562, 507)) for z in (102, 106, 110)]


def test_the_slices_of_a_small_region_are_whole_and_each_is_there_once():
    assert picture_slices(Box((5, 0, 0), (7, 30, 40))) == [Box((z, 0, 0), (z + 1, 30, 40)) for z in (5, 6)]


def test_equal_inputs_give_equal_bytes(volume):
    """Kills a date or a version in the file."""
    gray, segmentation, truth = volume
    assert slices_picture(gray, segmentation, truth, range(len(gray)), "t") == slices_picture(
        gray, segmentation, truth, range(len(gray)), "t"
    )


def test_segments_with_other_ids_but_the_right_shape_look_exactly_like_the_truth(volume):
    """Kills colouring segments by their own ids beside the truth: nobody could compare the two."""
    gray, segmentation, truth = volume
    assert slices_picture(gray, segmentation, truth, range(len(gray)), "t") == slices_picture(
        gray, segmentation * 977, truth, range(len(gray)), "t"
    )


def test_nothing_is_painted_over_voxels_without_a_body():
    gray = np.full((2, 2), 51, np.uint8)
    seen = _overlaid(gray, np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert np.allclose(seen, 0.2)


def test_borders_between_two_segments_of_one_body_stay_visible():
    """Kills an overlay in which a split body looks whole."""
    gray = np.full((1, 4), 255, np.uint8)
    seen = _overlaid(gray, np.ones((1, 4), int), np.array([[7, 7, 8, 8]])).sum(axis=2)
    assert seen[0, 2] < 0.3 * seen[0, 1]
    assert seen[0, 1] == seen[0, 0] == seen[0, 3]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_as_many_slices_are_drawn_as_are_given(depth):
    gray = np.zeros((depth, 4, 4), np.uint8)
    assert slices_picture(gray, np.ones((depth, 4, 4), int), None, range(depth), "t").startswith(b"\x89PNG")


@pytest.mark.parametrize("shape", [(9, 32, 31), (0, 32, 32)])
def test_arrays_that_do_not_fit_are_refused(shape, volume):
    with refused(PermanentError, volume[0].shape):
        slices_picture(volume[0], np.ones(shape, int), None, range(len(volume[0])), "t")


def test_sizes_are_drawn_and_nonsense_is_refused():
    assert sizes_picture(np.array([1, 10, 10**12])).startswith(b"\x89PNG")
    for nonsense in ([], [3, 0]):
        with refused(PermanentError, len(nonsense)):
            sizes_picture(np.array(nonsense, int))
