"""What subvolumes add to the whole, and the whole of resamples, against scikit-image and arrays put together."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import variation_of_information

from emseg.config.dataset import Unassigned
from emseg.evaluate import PerSubvolume, broken_and_merged, contingency_table, interval, merged, resamples, score
from emseg.evaluate.resampling import resampled_scores

SUBVOLUMES = 8


def blocks(seed: int, segments: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """Segmentation and ground truth of subvolumes of unequal shares of labelled voxels; labels span subvolumes."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(SUBVOLUMES):
        truth = random.integers(0, 4, 300) * (random.random(300) < (number + 1) / SUBVOLUMES)
        made.append(((truth + random.integers(0, segments, 300)) // 2, truth))
    return made


def parts_of(made) -> PerSubvolume:
    return PerSubvolume.of({f"sv-{i}": contingency_table(*pair) for i, pair in enumerate(made)})


def together(made, times) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.concatenate([made[i][side] for i in np.repeat(np.arange(len(made)), times)]) for side in (0, 1))


def test_a_whole_of_repeated_subvolumes_equals_that_of_the_arrays_put_together():
    """Kills a resample that counts pairs once, that keeps ids which it has no voxel of, or that mixes subvolumes up."""
    made = blocks(0)
    parts = parts_of(made)
    for times in (np.ones(8, int), np.array([3, 0, 0, 1, 0, 2, 0, 2]), np.array([0, 0, 0, 0, 0, 0, 0, 8])):
        seg, truth = together(made, times)
        for rule in Unassigned:
            assert parts.score(times, rule) == score(contingency_table(seg, truth), rule)
        split, merge = variation_of_information(truth[truth > 0], seg[truth > 0])
        found = parts.score(times)
        assert (found.vi_split, found.vi_merge) == pytest.approx((split, merge), abs=1e-9)


def test_what_the_subvolumes_add_sums_to_the_whole():
    made = blocks(1)
    parts = parts_of(made)
    for rule in Unassigned:
        assert parts.vi(rule).sum() == pytest.approx(score(parts.whole, rule).vi, abs=1e-12)
    assert parts.whole == merged(contingency_table(*pair) for pair in made)


def test_a_body_that_is_cut_between_subvolumes_costs_where_no_subvolume_alone_shows_it():
    """Kills places that are told by the scores of subvolumes by themselves: both of these are perfect."""
    body = np.ones(4, int)
    parts = PerSubvolume.of(
        {"sv-0": contingency_table(body * 5, body), "sv-1": contingency_table(body * 6, body)}
        | {"sv-2": contingency_table(body * 0, body * 0)}
    )
    assert parts.items == ("sv-0", "sv-1")
    assert parts.vi().tolist() == [0.5, 0.5]


def test_equal_seeds_give_equal_resamples_and_other_seeds_others():
    """Kills a verdict that a retry makes with another interval."""
    first = resamples(8, 100, "ab" * 16)
    assert np.array_equal(first, resamples(8, 100, "ab" * 16))
    assert not np.array_equal(first, resamples(8, 100, "ac" * 16))
    assert first.shape == (1000, 8)
    assert (first.sum(1) == 8).all()
    assert len(resamples(8, 50_000, "ab")) == 400
    assert len(resamples(8, 10**8, "ab")) == 200
    assert len(resamples(4, 100, "ab")) == 0


def test_the_interval_of_a_share_is_that_of_the_textbook():
    """The assigned share of equal subvolumes is a mean of n values: its bootstrap deviation is that of the mean, with n
    in the denominator. Kills resamples of voxels, which would give an interval a tenth as wide."""
    random = np.random.default_rng(3)
    truth = np.ones(200, int)
    shares = random.random(30)
    made = [((np.arange(200) < share * 200).astype(int), truth) for share in shares]
    parts = parts_of(made)
    times = resamples(30, len(parts.count), "7")
    low, high = interval(resampled_scores(parts, times, Unassigned.SEGMENT)["assigned_share"], shares.mean())
    deviation = shares.std() / np.sqrt(30)
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)
    assert (high + low) / 2 == pytest.approx(shares.mean(), abs=deviation / 3)


def test_the_difference_on_the_same_resamples_is_sharper_than_the_figures_themselves():
    """Kills resamples that are drawn for each segmentation anew: a small difference would drown."""
    made = [(np.arange(300) // (300 // (i + 1)), np.ones(300, int)) for i in range(8)]  # of very different quality
    worse = [(np.where(np.arange(300) % 20 == 0, 99, seg), truth) for seg, truth in made]
    times = resamples(8, 100, "1")
    one, two = (resampled_scores(parts_of(each), times, Unassigned.SEGMENT)["vi"] for each in (made, worse))
    low, high = interval(two - one, (two - one).mean())
    assert 0 < low < high
    assert high - low < np.diff(interval(one, 0.0))[0] / 3


def test_an_interval_is_about_what_was_measured():
    """Kills an interval beside its figure: a body that runs through 20 subvolumes, cut at each face, has log2 20 bits
    of VI split, and a resample of about 13 distinct ones less."""
    parts = parts_of([(np.full(50, i + 1), np.ones(50, int)) for i in range(20)])
    values = resampled_scores(parts, resamples(20, 20, "5"), Unassigned.SEGMENT)["vi"]
    assert values.max() < np.log2(20)
    low, high = interval(values, np.log2(20))
    assert low < np.log2(20) < high


def test_the_body_that_broke_and_the_bodies_that_merged_are_named():
    """Kills names of segments for those of bodies, and one of a pair that shared a segment before."""
    truth = np.repeat([1, 2, 3, 4], [40, 30, 20, 10])
    before = np.repeat([11, 12, 13, 13], [40, 30, 20, 10])
    now = np.concatenate([np.repeat([21, 22], 20), np.repeat([23, 23, 23], [30, 20, 10])])
    broken, joined = broken_and_merged(contingency_table(before, truth), contingency_table(now, truth), 5)
    (one,) = broken
    assert (one.body, one.fragments, one.bits) == (1, (1, 2), pytest.approx(0.4))
    assert [(each.body, each.segment, each.others) for each in joined] == [
        (2, 23, (3, 4)), (3, 23, (2,)), (4, 23, (2,)),
    ]  # fmt: skip
    assert sum(each.bits for each in joined) == pytest.approx(
        score(contingency_table(now, truth)).vi_merge - score(contingency_table(before, truth)).vi_merge
    )
    assert broken_and_merged(contingency_table(now, truth), contingency_table(now, truth), 5) == ((), ())
