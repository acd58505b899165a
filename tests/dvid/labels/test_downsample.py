"""Half the resolution: the mode of every 2 x 2 x 2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from skimage.util import view_as_blocks
from tests.refusals import refused

from emseg.dvid import downsample_labels
from emseg.errors import PermanentError

SIDES = st.sampled_from([2, 4, 6])


@given(hnp.arrays(np.uint64, st.tuples(SIDES, SIDES, SIDES), elements=st.integers(0, 3)))
def test_it_is_the_mode_of_each_eight_without_zeros_and_the_smallest_of_equals(labels: np.ndarray) -> None:
    """Oracle: scipy's mode, which also takes the smallest. Kills a corner rule, a counted 0, a swapped axis."""
    eights = view_as_blocks(labels, (2, 2, 2)).reshape(*(n // 2 for n in labels.shape), 8)
    # Zeros become distinct large numbers, which no label can lose to but by being absent.
    loners = np.where(eights == 0, np.arange(100, 108, dtype=np.uint64), eights)
    expected = stats.mode(loners, axis=-1).mode
    expected = np.where(expected >= 100, 0, expected)
    np.testing.assert_array_equal(downsample_labels(labels), expected)


@given(hnp.arrays(np.uint32, st.tuples(SIDES, SIDES, SIDES), elements=st.integers(0, 3)))
def test_indices_in_a_list_of_ids_give_the_mode_of_the_ids(indices: np.ndarray) -> None:
    """Kills the smallest index instead of the smallest id, an index that is not looked up, a copy as result."""
    ids, room = np.array([0, 9, 7, 2**63 + 5], np.uint64), np.full((7, 7, 7), 1, np.uint64)
    into = room[1:, 1:, 1:][tuple(slice(0, n // 2) for n in indices.shape)]
    assert downsample_labels(indices, ids, into) is into
    np.testing.assert_array_equal(into, downsample_labels(ids[indices]))
    assert (room[0] == 1).all()


def test_large_ids_keep_every_bit() -> None:
    """Kills a way through float64."""
    assert downsample_labels(np.full((2, 2, 2), 2**63 + 1, np.uint64)).item() == 2**63 + 1


@pytest.mark.parametrize(("shape", "dtype"), [((2, 3, 2), "u8"), ((2, 2), "u8"), ((2, 2, 2), "f8"), ((2, 2, 2), "u4")])
def test_other_arrays_are_refused(shape: tuple[int, ...], dtype: str) -> None:
    with refused(PermanentError, np.dtype(dtype), shape):
        downsample_labels(np.zeros(shape, dtype))
