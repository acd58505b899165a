"""Sorting and searching in compiled functions do what NumPy does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from emseg.kernels import sorting
from emseg.kernels.plain import sorting as plain


@njit
def ascending(labels):
    return sorting.ascending(labels)


@njit
def index_in(labels, label):
    return sorting.index_in(labels, label)


@given(st.lists(st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1)), max_size=100))
def test_labels_are_sorted_in_a_copy(values):
    """Kills a heap that loses its last label, and a comparison of ids as signed or as floats."""
    labels = np.array(values, np.uint64)
    np.testing.assert_array_equal(ascending(labels), plain.ascending(labels))
    assert labels.tolist() == values


@given(st.sets(st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1)), min_size=1, max_size=100))
def test_each_label_is_found_where_it_is(values):
    labels = np.array(sorted(values), np.uint64)
    assert [index_in(labels, label) for label in labels] == [plain.index_in(labels, label) for label in labels]
