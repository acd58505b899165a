"""The gate against errors that were put into a perfect segmentation: from how many merges or splits on does it trip?"""

from __future__ import annotations

from collections.abc import Callable

import fastremap
import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information

from emseg.array_types import Labels64
from emseg.config.gate import GatePolicy, Regression
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import PerSubvolume, contingency_table, score
from emseg.quality import Measured, against_release
from emseg.synthetic import make_volume

Figure = Callable[[str], None]

SEED = 11
POLICY = GatePolicy()
CASES = 1000
LIMITS = {"change_vi": 0.05, "change_vi_merge": 0.1, "change_adapted_rand_error": 0.02}
LIMITED_ELSEWHERE = {"change_largest_segment_share", "change_assigned_share"}


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


@pytest.mark.fault("F21")
def test_the_gate_refuses_exactly_what_is_worse_than_the_release_by_more_than_allowed(truth: Labels64, figure: Figure):
    """Kills a difference the wrong way round, and one of other voxels. Oracle: scikit-image, on the voxels themselves.

    Release and candidate each have up to 4 joins and 3 cuts, so either may be the worse one.
    """
    draw, refused, allowed = np.random.default_rng(SEED), 0, Regression(vi=0.05, vi_merge=0.1, are=0.02)
    made = {case: cut(merged(truth, case[0]), case[1]) for case in np.ndindex(5, 4)}
    measured = {case: _measured(labels, truth) for case, labels in made.items()}
    oracle = {case: _by_skimage(labels, truth) for case, labels in made.items()}
    for _ in range(CASES):
        own, served = (list(made)[draw.integers(len(made))] for _ in range(2))
        worse = {name: oracle[own][name] - oracle[served][name] for name in oracle[own]}
        rows = against_release(measured[own], measured[served], 1, allowed, Unassigned.SEGMENT).rows
        failing = {row.metric for row in rows if not row.keeps_limit} - LIMITED_ELSEWHERE
        assert failing == {name for name, limit in LIMITS.items() if worse[name] > limit}, (own, served)
        refused += bool(failing)
    assert 0 < refused < CASES
    figure(f"{CASES} pairs of seeded segmentations: {refused} refused as worse than the release")


def _measured(labels: Labels64, truth: Labels64) -> Measured:
    pairs = zip(np.array_split(labels, 8, axis=2), np.array_split(truth, 8, axis=2), strict=True)
    parts = PerSubvolume.of({f"sv-{n}": contingency_table(*pair) for n, pair in enumerate(pairs)})
    return Measured.of(score(parts.whole), parts, "ab", Unassigned.SEGMENT)


def _by_skimage(labels: Labels64, truth: Labels64) -> dict[str, float]:
    known = truth > 0
    labels, _ = fastremap.renumber(labels, in_place=False)  # scikit-image makes tables as large as the largest id
    split, merge = variation_of_information(truth[known], labels[known])
    error, _, _ = adapted_rand_error(truth[known], labels[known])
    return {"change_vi": split + merge, "change_vi_merge": merge, "change_adapted_rand_error": error}


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
