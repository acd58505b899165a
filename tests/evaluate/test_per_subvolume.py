"""What subvolumes add to the whole, and do to its numbers, against numbers of other tables."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.config.groundtruth import Unassigned
from emseg.evaluate import (
    ContingencyTable,
    PerSubvolume,
    broken_and_merged,
    contingency_table,
    gated_metrics,
    interval,
    merged,
    resampled_moves,
    score,
)
from emseg.evaluate.marginals import Comparison, marginals
from emseg.evaluate.metrics import gradients_of

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


def with_counts(table: ContingencyTable, count) -> ContingencyTable:
    return ContingencyTable(table.segmentation, table.groundtruth, np.asarray(count))


@pytest.mark.parametrize("rule", Unassigned)
@pytest.mark.parametrize("seed", range(5))
def test_a_gradient_is_what_a_few_voxels_more_in_a_row_do_to_each_number(seed, rule):
    """Kills a derivative that forgets that sizes and the total grow too. Oracle: the score itself, of larger tables."""
    large = with_counts((whole := parts_of(blocks(seed)).whole), whole.count * 10_000_000)
    gradients = gradients_of(Comparison(large, marginals(large), rule))
    assert {*gated_metrics(), "vi"} <= set(gradients)
    for row in range(len(large)):
        more, less = (large.count + sign * 1000 * (np.arange(len(large)) == row) for sign in (1, -1))
        above, below = (score(with_counts(large, count), rule) for count in (more, less))
        for name, gradient in gradients.items():
            slope = (getattr(above, name) - getattr(below, name)) / 2000
            assert gradient[row] == pytest.approx(slope, rel=1e-3, abs=1e-13), name


def test_influences_are_the_rise_when_a_subvolume_counts_more_often():
    """Kills influences that mix subvolumes up. Oracle: all tables a thousand times, one once more."""
    made = blocks(0)
    tables = [contingency_table(*pair) for pair in made]
    often = {f"sv-{i}": with_counts(table, table.count * 1000) for i, table in enumerate(tables)}
    found, whole = PerSubvolume.of(often).influences(), score(merged(often.values()))
    for number, table in enumerate(tables):
        moved = score(merged([*often.values(), table]))
        for name, influence in found.items():
            rise = (getattr(moved, name) - getattr(whole, name)) * 1000
            assert influence[number] == pytest.approx(rise, rel=0.02, abs=2e-4), name


def test_a_thousand_resamples_spread_like_those_that_are_scored_anew():
    """Kills a linear form that is none. Oracle: the bootstrap itself, every resample scored from its own tables."""
    random = np.random.default_rng(5)
    truth = [random.integers(1, 5, 400) for _ in range(60)]
    made = [(np.where(random.random(400) < random.random() / 2, random.integers(1, 9, 400), t), t) for t in truth]
    tables, parts = [contingency_table(*pair) for pair in made], parts_of(made)
    anew = []
    for _ in range(300):
        times = np.bincount(random.integers(0, 60, 60), minlength=60)
        drawn = [with_counts(t, t.count * n) for t, n in zip(tables, times, strict=True) if n]
        anew.append(score(merged(drawn)))
    moves = resampled_moves(parts.influences(), "9")
    for name in ("vi_split", "vi_merge", "adapted_rand_error", "vi"):
        spread = np.std([getattr(each, name) for each in anew])
        assert np.std(moves[name]) == pytest.approx(spread, rel=0.15), name


def test_what_the_subvolumes_add_sums_to_the_whole():
    made = blocks(1)
    parts = parts_of(made)
    for rule in Unassigned:
        assert parts.score(rule) == score(parts.whole, rule)
        assert parts.vi(rule).sum() == pytest.approx(parts.score(rule).vi, abs=1e-12)
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
    influences = {"vi": np.arange(8.0)}
    first = resampled_moves(influences, "ab" * 16)["vi"]
    assert np.array_equal(first, resampled_moves(influences, "ab" * 16)["vi"])
    assert not np.array_equal(first, resampled_moves(influences, "ac" * 16)["vi"])
    assert len(first) == 1000
    assert len(resampled_moves({"vi": np.arange(4.0)}, "ab")["vi"]) == 0


def test_the_interval_of_a_share_is_that_of_the_textbook():
    """The assigned share of equal subvolumes is a mean of n values: its bootstrap deviation is that of the mean, with n
    in the denominator. Kills resamples of voxels, which would give an interval a tenth as wide."""
    random = np.random.default_rng(3)
    truth = np.ones(200, int)
    shares = random.random(30)
    made = [((np.arange(200) < share * 200).astype(int), truth) for share in shares]
    low, high = interval(resampled_moves(parts_of(made).influences(), "7")["assigned_share"], shares.mean())
    deviation = shares.std() / np.sqrt(30)
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)
    assert (high + low) / 2 == pytest.approx(shares.mean(), abs=deviation / 3)


def test_the_difference_on_the_same_resamples_is_sharper_than_the_figures_themselves():
    """Kills resamples that are drawn for each segmentation anew: a small difference would drown."""
    made = [(np.arange(300) // (300 // (i + 1)), np.ones(300, int)) for i in range(8)]  # of very different quality
    worse = [(np.where(np.arange(300) % 20 == 0, 99, seg), truth) for seg, truth in made]
    one, two = (resampled_moves(parts_of(each).influences(), "1")["vi"] for each in (made, worse))
    low, high = interval(two - one, score(parts_of(worse).whole).vi - score(parts_of(made).whole).vi)
    assert 0 < low < high
    assert high - low < np.diff(interval(one, 0.0))[0] / 3


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
