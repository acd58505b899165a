from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from emseg.evaluate import contingency_table, score
from emseg.quality import MetricRow, metric_rows

VOLUME = ["vi_split", "vi_merge", "adapted_rand_error", "largest_segment_share", "assigned_share"]


def test_the_table_worked_by_hand_gives_these_rows(policy):
    """Body 1 in segments of 3 and 1, body 2 in the segment of the 1: the figures are worked out with pencil.

    Kills split and merge swapped, a policy field read for the wrong metric, and shares of the wrong whole.
    """
    segmentation = np.array([[[10, 10, 10, 20, 20, 20, 20, 20]]])
    truth = np.array([[[1, 1, 1, 1, 2, 2, 2, 2]]])
    measured = score(contingency_table(segmentation, truth))
    rows = metric_rows("demo", measured, {}, policy)
    assert [(r.metric, round(r.value, 4), r.limit, r.direction) for r in rows] == [
        ("vi_split", 0.4056, 2.0, "max"),
        ("vi_merge", 0.4512, 1.0, "max"),
        ("adapted_rand_error", 0.28, 0.3, "max"),
        ("largest_segment_share", 0.625, 0.8, "max"),
        ("assigned_share", 1.0, 0.6, "min"),
    ]
    assert all(row.scope == "volume" and row.subject == "demo" for row in rows)


def test_subvolumes_come_in_name_order_with_split_plus_merge(policy, score_of):
    scores = {"sv-00000002": score_of(vi_split=3.0, vi_merge=2.0), "sv-00000001": score_of()}
    rows = metric_rows("demo", score_of(), scores, policy)[len(VOLUME) :]
    assert [(r.subject, r.metric, r.value, r.limit) for r in rows] == [
        ("sv-00000001", "vi", 2.0, 4.0),
        ("sv-00000002", "vi", 5.0, 4.0),
    ]
    assert [row.keeps_limit for row in rows] == [True, False]


def test_without_ground_truth_every_volume_metric_has_a_row_that_fails(policy):
    """Kills a gate that skips what it could not measure, and so passes it."""
    rows = metric_rows("demo", None, {}, policy)
    assert [row.metric for row in rows] == VOLUME
    assert all(row.value is None and not row.keeps_limit for row in rows)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_number_that_is_not_finite_becomes_no_value(value, policy, score_of):
    assert metric_rows("demo", score_of(vi_split=value), {}, policy)[0].value is None


@pytest.mark.parametrize(
    ("value", "direction", "keeps"),
    [
        (1.0, "max", True),
        (1.0000001, "max", False),
        (0.0, "max", True),
        (1.0, "min", True),
        (0.9999999, "min", False),
        (7.0, "min", True),
        (None, "max", False),
        (None, "min", False),
        (nan, "max", False),
        (nan, "min", False),
        (inf, "min", False),
        (-inf, "max", False),
        (-0.1, "max", False),
    ],
)
def test_a_value_on_the_limit_is_kept_and_one_that_is_no_measurement_never(value, direction, keeps):
    """Kills `<` for `<=`, swapped directions, and `not value > limit`, which lets NaN through."""
    assert MetricRow("volume", "demo", "vi_split", value, 1.0, direction).keeps_limit is keeps
