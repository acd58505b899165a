"""False joins by the size of their smaller side: the worked example, and a plain count on random labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from benchmarks.false_joins import BINS, false_joins

from emseg.evaluate import contingency_table


def labels(*runs: tuple[int, int]) -> np.ndarray:
    return np.concatenate([np.full(length, label, np.uint32) for label, length in runs])


def test_the_worked_example_holds():
    """Kills counting the largest body of a segment as a false join, and bodies cut in two as joined."""
    truth = labels((1, 900), (2, 60), (3, 5), (2, 35))
    count, share = false_joins(contingency_table(labels((7, 965), (8, 35)), truth))
    assert count.tolist() == [0, 0, 1, 1]
    assert share.tolist() == pytest.approx([0, 0, 0.005, 0.06])


def test_a_perfect_segmentation_has_none():
    truth = labels((1, 10), (2, 30))
    count, share = false_joins(contingency_table(truth, truth))
    assert not count.any()
    assert not share.any()
    assert len(count) == len(share) == len(BINS)


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_plain_loops(seed):
    """Kills parts compared across segments, and shares of the segment in place of the volume."""
    rng = np.random.default_rng(seed)
    truth, found = (rng.integers(1, n, 5000).astype(np.uint32) for n in (9, 40))
    smaller = []
    for segment in np.unique(found):
        parts = sorted(Counter(truth[found == segment].tolist()).values())
        smaller += [part / 5000 for part in parts[:-1]]
    expected = [
        sum(low < part <= high for part in smaller) for low, high in ((0, 1e-4), (1e-4, 1e-3), (1e-3, 1e-2), (1e-2, 1))
    ]
    count, share = false_joins(contingency_table(found, truth))
    assert count.tolist() == expected
    assert share.sum() == pytest.approx(sum(smaller))
