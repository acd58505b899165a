"""Labels at half the resolution are those of the plain twin; `tests/dvid/labels/test_downsample.py` has scipy's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.label_arrays import label_arrays

from emseg.kernels import downsample
from emseg.kernels.plain import downsample as plain

SHAPES = st.tuples(*[st.sampled_from([2, 4, 6, 14])] * 3)


@settings(max_examples=60)
@given(label_arrays(SHAPES, "u8"))
def test_modes_are_those_of_the_twin(labels):
    """Kills a quick way for eights of two labels that forgets 0 or a draw, and a vote that stops at two labels."""
    half = tuple(n // 2 for n in labels.shape)
    found, expected = np.full(half, 99, np.uint64), np.full(half, 88, np.uint64)
    downsample.fill_modes(labels, None, found)
    plain.fill_modes(labels, None, expected)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=60)
@given(label_arrays(SHAPES, "u4", largest=2**20), st.integers(0, 2**32))
def test_modes_of_ids_are_those_of_the_twin(labels, seed):
    """Kills a draw that the smaller index wins instead of the smaller id."""
    distinct, indices = np.unique(labels, return_inverse=True)
    ids = np.random.default_rng(seed).permutation(np.arange(len(distinct), dtype=np.uint64) << np.uint64(43))
    indices = indices.reshape(labels.shape).astype(np.uint32)
    found, expected = np.zeros((2, *(n // 2 for n in labels.shape)), np.uint64)
    downsample.fill_modes(indices, ids, found)
    plain.fill_modes(indices, ids, expected)
    np.testing.assert_array_equal(found, expected)


def test_every_way_to_share_eight_voxels_is_voted_on_alike():
    """All ways to give eight voxels the labels 0, 1 and 2, in one long row."""
    ways = np.array(np.meshgrid(*[np.arange(3)] * 8)).reshape(2, 2, 2, -1).astype(np.uint64)
    labels = np.moveaxis(ways, 3, 2).reshape(2, 2, -1)
    found, expected = np.zeros((2, 1, 1, ways.shape[3]), np.uint64)
    downsample.fill_modes(labels, None, found)
    plain.fill_modes(labels, None, expected)
    np.testing.assert_array_equal(found, expected)
