"""The gate against errors that were put into a perfect segmentation: from how many merges or splits on does it trip?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from emseg.array_types import Labels64
from emseg.config.dataset import GatePolicy
from emseg.evaluate import contingency_table, score
from emseg.synthetic import make_volume

Figure = Callable[[str], None]

SEED = 11
POLICY = GatePolicy()


@pytest.fixture(scope="module")
def truth() -> Labels64:
    return make_volume((64, 128, 128), seed=SEED).groundtruth


@pytest.mark.fault("F21")
def test_the_gate_trips_on_merges_from_some_number_on_and_never_before_it(truth: Labels64, figure: Figure):
    """Kills a gate that looks at splits alone, and a score that does not grow with the errors."""
    merge_bits = [score(contingency_table(merged(truth, count), truth)).vi_merge for count in range(bodies(truth))]
    first = _first_above(merge_bits, POLICY.vi_merge_max)
    assert merge_bits[0] == 0
    assert all(bits > POLICY.vi_merge_max for bits in merge_bits[first:])
    figure(
        f"random merges: the gate (VI merge {POLICY.vi_merge_max:g}) trips from {first} of {bodies(truth)} bodies on"
    )


@pytest.mark.fault("F21")
def test_the_gate_trips_on_splits_from_some_number_of_cuts_on(truth: Labels64, figure: Figure):
    """Kills a gate that looks at merges alone."""
    split_bits = [score(contingency_table(cut(truth, count), truth)).vi_split for count in range(64)]
    first = _first_above(split_bits, POLICY.vi_split_max)
    assert split_bits[0] == 0
    assert 0 < first < 64
    figure(f"all bodies cut by planes: the gate (VI split {POLICY.vi_split_max:g}) trips from {first} planes on")


@pytest.mark.fault("F21")
def test_clean_resamples_raise_no_false_alarm(truth: Labels64, figure: Figure):
    """Other ids and other boxes of a perfect segmentation must pass. Oracle: it equals its ground truth."""
    draw = np.random.default_rng(SEED)
    alarms, samples = 0, 1000
    for _ in range(samples):
        start = draw.integers(0, np.array(truth.shape) - 32)
        box = truth[tuple(slice(s, s + 32) for s in start)]
        renamed = np.where(box == 0, 0, box + np.uint64(draw.integers(1, 2**40)))
        result = score(contingency_table(renamed, box))
        alarms += result.vi_merge > POLICY.vi_merge_max or result.vi_split > POLICY.vi_split_max
    assert alarms == 0
    figure(f"{alarms} false alarms in {samples} clean resamples")


def bodies(truth: Labels64) -> int:
    return len(np.unique(truth[truth > 0]))


def merged(truth: Labels64, count: int) -> Labels64:
    """The truth after `count` merges of a body with the next one in a random order."""
    ids = np.random.default_rng(SEED).permutation(np.unique(truth[truth > 0]))
    table = np.arange(int(truth.max()) + 1, dtype=np.uint64)
    table[ids[1 : count + 1]] = ids[0]
    return table[truth]


def cut(truth: Labels64, planes: int) -> Labels64:
    """The truth with every body cut by evenly spaced planes across X."""
    width = truth.shape[2]
    slab = (np.arange(width, dtype=np.uint64) * np.uint64(planes + 1)) // np.uint64(width)
    return np.where(truth == 0, 0, truth + slab * np.uint64(2**32))


def _first_above(values: list[float], limit: float) -> int:
    return next(place for place, value in enumerate(values) if value > limit)
