"""Rows of a good result under a policy whose limits are all different, so that no two can be mixed up unnoticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emseg.config.gate import GatePolicy
from emseg.evaluate import Score
from emseg.quality import MetricRow, metric_rows


@pytest.fixture
def policy() -> GatePolicy:
    return GatePolicy(
        vi_split_max=2.0,
        vi_merge_max=1.0,
        are_max=0.3,
        largest_body_share_max=0.8,
        assigned_share_min=0.6,
        subvolume_vi_max=4.0,
    )


@pytest.fixture
def score_of() -> Callable[..., Score]:
    def make(**changes: float) -> Score:
        good = {"voxels": 100, "segments": 5, "bodies": 4, "pair_precision": 0.9, "pair_recall": 0.9}
        good |= {"vi_split": 1.5, "vi_merge": 0.5, "adapted_rand_error": 0.1, "best_overlap_share": 0.9}
        good |= {"assigned_share": 0.9, "largest_segment_share": 0.4}
        return Score(**{**good, **changes})

    return make


@pytest.fixture
def good_rows(policy: GatePolicy, score_of: Callable[..., Score]) -> tuple[MetricRow, ...]:
    return metric_rows("demo", score_of(), {"sv-00000001": score_of(), "sv-00000000": score_of(vi_split=3.5)}, policy)
