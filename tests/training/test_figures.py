"""Figures of a classifier against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emseg.training.figures import separation


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=4, max_size=80))
def test_average_precision_is_that_of_plain_counting(pairs):
    """Oracle: the definition, level by level."""
    score = np.array([level / 64 for level, _ in pairs])
    target = np.array([positive for _, positive in pairs])
    if target.all() or not target.any():
        return
    expected, last = 0.0, 0.0
    for level in sorted(set(score.tolist()), reverse=True):
        chosen = score >= level
        recall = target[chosen].sum() / target.sum()
        expected += (recall - last) * target[chosen].mean()
        last = recall
    assert separation(score, target).average_precision == pytest.approx(expected)
