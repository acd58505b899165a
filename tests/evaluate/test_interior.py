"""The interior mask against scikit-image's boundary finder."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import find_boundaries

from emseg.evaluate import interior_mask


def test_the_interior_is_what_scikit_image_does_not_call_boundary():
    """Kills 26-neighbourhoods, one-sided borders and a border at the face of the array."""
    blocks = np.random.default_rng(5).integers(1, 5, (4, 4, 4))
    truth = blocks.repeat(3, 0).repeat(3, 1).repeat(3, 2)
    boundary = find_boundaries(truth, connectivity=1, mode="thick", background=-1)
    assert np.array_equal(interior_mask(truth), ~boundary)


def test_two_slabs_lose_the_two_layers_that_touch():
    truth = np.ones((6, 2, 2), np.uint64)
    truth[3:] = 2
    assert interior_mask(truth)[:, 0, 0].tolist() == [True, True, False, False, True, True]
