"""Scores agree with scikit-image on random and on real labels, and with numbers worked by hand."""

from __future__ import annotations

from itertools import pairwise
from math import log2

import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information

from emseg.config.groundtruth import Unassigned
from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, contingency_table, merged, per_body, per_segment, score

SAME = pytest.approx


def check_against_scikit_image(segmentation, groundtruth):
    """scikit-image keeps ground truth 0 in VI and calls recall by body sizes `precision`; both are undone here."""
    known = groundtruth != 0
    split, merge = variation_of_information(groundtruth[known], segmentation[known])
    error, by_bodies, by_segments = adapted_rand_error(groundtruth[known], segmentation[known], ignore_labels=())
    found = score(contingency_table(segmentation, groundtruth))
    assert (found.vi_split, found.vi_merge) == SAME((split, merge), abs=1e-9)
    assert found.adapted_rand_error == SAME(error, abs=1e-9)
    assert (found.pair_recall, found.pair_precision) == SAME((by_bodies, by_segments), abs=1e-9)


@pytest.mark.parametrize(("segments", "bodies"), [(40, 5), (5, 40), (1, 9), (9, 2), (300, 300)])
def test_random_labels_score_as_scikit_image_scores_them(segments, bodies):
    """Kills split and merge exchanged, natural logarithms, and unassigned or unlabelled voxels treated alike."""
    rng = np.random.default_rng(segments * 1000 + bodies)
    shape = (12, 13, 14)
    check_against_scikit_image(rng.integers(0, segments + 1, shape), rng.integers(0, bodies + 1, shape))


@pytest.mark.shared_data
def test_two_real_segmentations_score_as_scikit_image_scores_them(shared_data):
    with np.load(shared_data / "labels/multicut-256.npz") as a, np.load(shared_data / "labels/simple-256.npz") as b:
        check_against_scikit_image(b["labels"][:128], a["labels"][:128])


@pytest.mark.shared_data
def test_real_supervoxels_score_as_scikit_image_scores_them_whole_and_block_by_block(shared_data):
    """Kills scores that are averaged over blocks in place of computed from the summed table."""
    with np.load(shared_data / "medulla/labelled-125x250x250.npz") as data:
        seg, truth = data["supervoxels"], data["groundtruth"]
    check_against_scikit_image(seg, truth)
    cuts = [0, 40, 90, 125]
    parts = [contingency_table(seg[a:b], truth[a:b]) for a, b in pairwise(cuts)]
    assert score(merged(parts)) == score(contingency_table(seg, truth))


def each_alone(segmentation):
    """The same labels, with another new id for every voxel of label 0."""
    alone = segmentation.astype(np.uint64)
    alone[alone == 0] = np.arange(int((alone == 0).sum()), dtype=np.uint64) + alone.max() + np.uint64(1)
    return alone


@pytest.mark.parametrize(("segments", "bodies"), [(40, 5), (5, 40), (1, 9), (0, 4)])
def test_singletons_score_as_scikit_image_scores_unassigned_voxels_that_are_renumbered(segments, bodies):
    """Oracle: every unassigned voxel under an id of its own. Kills unassigned voxels dropped, and the other rule."""
    rng = np.random.default_rng(segments * 1000 + bodies)
    seg, truth = rng.integers(0, segments + 1, (12, 13, 14)), rng.integers(0, bodies + 1, (12, 13, 14))
    known, alone = truth != 0, each_alone(seg)
    split, merge = variation_of_information(truth[known], alone[known])
    found = score(contingency_table(seg, truth), Unassigned.SINGLETONS)
    assert (found.vi_split, found.vi_merge) == SAME((split, merge), abs=1e-9)
    if segments:  # without pairs scikit-image divides by 0
        error, by_bodies, by_segments = adapted_rand_error(truth[known], alone[known], ignore_labels=())
        assert found.adapted_rand_error == SAME(error, abs=1e-9)
        assert (found.pair_recall, found.pair_precision) == SAME((by_bodies, by_segments), abs=1e-9)
    other = score(contingency_table(seg, truth))
    assert found != other
    for name in ("voxels", "segments", "bodies", "assigned_share", "largest_segment_share", "best_overlap_share"):
        assert getattr(found, name) == getattr(other, name)


def test_half_a_body_left_unassigned_by_hand():
    """8 voxels, 4 of them unassigned. One segment: 1 bit of split. Single voxels: 4/8 log2(8/4) + 4/8 log2(8) = 2."""
    half = table((0, 1, 4), (5, 1, 4))
    assert (score(half).vi_split, score(half).vi_merge) == SAME((1.0, 0.0))
    alone = score(half, Unassigned.SINGLETONS)
    assert (alone.vi_split, alone.vi_merge, alone.pair_recall) == SAME((2.0, 0.0, 12 / 56))


def test_what_spans_two_bodies_costs_merge_as_a_segment_and_none_as_single_voxels():
    """Kills singletons that keep the size of segment 0 inside the logarithm of VI merge."""
    both = table((0, 1, 4), (0, 2, 4))
    assert score(both).vi_merge == SAME(1.0)
    assert score(both, Unassigned.SINGLETONS).vi_merge == SAME(0.0)
    for of in (per_body, per_segment):
        assert of(both, Unassigned.SINGLETONS).vi_split.sum() == SAME(score(both, Unassigned.SINGLETONS).vi_split)


def table(*rows) -> ContingencyTable:
    seg, truth, count = zip(*rows, strict=True)
    return ContingencyTable(np.array(seg, np.uint64), np.array(truth, np.uint64), np.array(count, np.int64))


def test_the_worked_example_of_the_module_holds():
    found = score(table((1, 1, 3), (2, 1, 1), (2, 2, 4)))
    assert found.vi_split == SAME(3 / 8 * log2(4 / 3) + 1 / 8 * 2)
    assert found.vi_merge == SAME(1 / 8 * log2(5) + 4 / 8 * log2(5 / 4))
    assert (found.pair_precision, found.pair_recall) == SAME((18 / 26, 18 / 24))
    assert found.adapted_rand_error == SAME(0.28)
    assert (found.bodies, found.segments, found.voxels) == (2, 2, 8)
    assert found.best_overlap_share == SAME(7 / 8)


def test_a_perfect_segmentation_scores_zero_whatever_its_ids():
    found = score(table((2**60, 7, 10), (2**60 + 1, 3, 5)))
    assert (found.vi, found.adapted_rand_error) == (0, 0)
    assert found.best_overlap_share == 1


def test_unassigned_voxels_cost_but_are_no_segment():
    """Kills dropping segmentation 0, which would make an empty segmentation perfect."""
    found = score(table((0, 1, 4), (0, 2, 4), (5, 1, 1), (6, 2, 3)))
    assert found.vi_merge > 0.5
    assert found.segments == 2
    assert found.assigned_share == SAME(4 / 12)
    assert found.largest_segment_share == SAME(3 / 4)
    assert found.best_overlap_share == SAME(4 / 12)


def test_a_volume_with_nothing_assigned_is_scored_not_divided_by_zero():
    found = score(table((0, 1, 4), (0, 2, 4)))
    assert (found.segments, found.assigned_share, found.largest_segment_share) == (0, 0, 0)
    assert found.vi_merge == SAME(1)


def test_petavoxel_counts_do_not_overflow():
    """Kills squares in 64-bit integers: (10^13)^2 exceeds them."""
    found = score(table((1, 1, 10**13), (2, 2, 10**13)))
    assert (found.adapted_rand_error, found.pair_precision) == SAME((0, 1))


def test_no_ground_truth_is_an_error_not_a_perfect_score():
    """Kills a gate that passes a run because nothing was measured."""
    with pytest.raises(PermanentError):
        score(merged([]))
