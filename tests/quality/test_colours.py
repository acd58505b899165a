from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emseg.quality import body_colours
from emseg.quality.colours import renamed_by_best_overlap


def test_the_colour_of_an_id_does_not_depend_on_the_others_in_the_picture():
    """Kills colour tables made of the order of ids: the same body would change colour from run to run."""
    alone = body_colours(np.array([4711], np.uint64))[0]
    among = body_colours(np.array([[1, 4711], [99, 2**63 + 5]], np.uint64))[0, 1]
    assert np.array_equal(alone, among)


def test_id_one_has_the_hue_of_the_golden_ratio():
    red, green, blue = body_colours(np.array([1]))[0]
    assert colorsys.rgb_to_hls(red, green, blue)[0] == pytest.approx((5**0.5 - 1) / 2, abs=1e-6)


def test_no_body_is_black_and_every_body_is_not():
    colours = body_colours(np.arange(1000))
    assert np.array_equal(colours[0], [0, 0, 0])
    assert colours[1:].max(axis=1).min() > 0.4


def test_neighbouring_ids_are_told_apart():
    """Kills `id % 256` on a smooth map: ids that follow each other are often neighbours in the tissue."""
    colours = body_colours(np.arange(1, 2000))
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 0.1


@given(arrays(np.uint64, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.integers(0, 2**64 - 1)))
def test_colours_have_the_shape_of_the_ids_and_lie_between_0_and_1(ids):
    colours = body_colours(ids)
    assert colours.shape == (*ids.shape, 3)
    assert ((colours >= 0) & (colours <= 1)).all()


def test_a_segment_takes_the_name_of_the_body_it_shares_most_with():
    segmentation = np.array([7, 7, 7, 8, 8, 0, 9, 5], np.uint64)
    truth = np.array([3, 3, 4, 4, 4, 4, 0, 2], np.uint32)
    assert renamed_by_best_overlap(segmentation, truth).tolist() == [3, 3, 3, 4, 4, 0, 0, 2]


def test_a_segment_shared_equally_takes_the_smaller_name():
    assert renamed_by_best_overlap(np.array([7, 7]), np.array([6, 5])).tolist() == [5, 5]
