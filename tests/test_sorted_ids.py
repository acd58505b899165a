"""Looking ids up: held against Python's own list and set."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emseg.sorted_ids import find, is_among

IDS = st.sampled_from([0, 1, 2, 5, 2**53, 2**53 + 1, 2**63, 2**64 - 1])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


@given(hnp.arrays(np.uint64, SHAPES, elements=IDS), st.sets(IDS))
def test_every_id_that_is_there_is_found_at_its_index_and_no_other(ids, known):
    """Kills an index behind the last entry, ids that pass through float64, and a look-up in nothing."""
    ascending = np.array(sorted(known), np.uint64)
    index, is_there = find(ids, ascending)
    assert index.shape == is_there.shape == ids.shape
    assert is_there.ravel().tolist() == [value in known for value in ids.ravel().tolist()]
    assert ascending[index[is_there]].tolist() == ids[is_there].tolist()
    assert not len(ascending) or index.max(initial=0) < len(ascending)
    np.testing.assert_array_equal(is_among(ids, ascending), is_there)


def test_the_worked_example_holds():
    index, is_there = find(np.array([7, 5], np.uint64), np.array([2, 5, 9], np.uint64))
    assert index.tolist() == [2, 1]
    assert is_there.tolist() == [False, True]
