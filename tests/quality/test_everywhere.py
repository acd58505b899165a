"""Rows that need no ground truth: limits, the served release and the history, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.evaluate.test_survey import TEN

from emseg.config.gate import Everywhere, EverywhereRegression, GatePolicy, HistoryPolicy
from emseg.config.runspec import PinnedRelease
from emseg.quality import (
    HistoryEntry,
    Judged,
    LargeBody,
    Measurement,
    View,
    comparable,
    everywhere,
    everywhere_against_history,
    everywhere_against_release,
    judge,
)

LOOSE = Everywhere(largest_body_share_max=0.7)
BODY = LargeBody(body=7, voxels=6, share=0.6, view=View(position_vox=(3.5, 20.5, 40.5), span_nm=10))
PLACE = "Body 7 has 6 voxels, 60 % of all that are labelled, at Z 3, Y 20, X 40"
RELEASE = PinnedRelease(
    number=3, root="ab", node="cd", instance="s", fingerprint="f" * 32, region="here", figures=TEN.figures
)


def test_a_figure_above_its_limit_is_refused_and_the_largest_bodies_are_named(tmp_path: Path):
    """Kills rows that only stand in the report, and a verdict without coordinates. One GX run shows it."""
    policy = GatePolicy(everywhere=Everywhere(largest_body_share_max=0.5))
    own = everywhere(TEN, [BODY], policy.everywhere, "brain")
    verdict = judge(
        (), policy, tmp_path, dataset="brain", run="r", fingerprint="f" * 32, compared=[own], has_groundtruth=False
    )
    assert not verdict.passed
    first, *places = verdict.reasons
    assert first == "Largest body of all of the volume, share is 0.6; the gate asks for at most 0.5"
    assert places == [PLACE]
    assert verdict.figures == TEN.figures


def test_a_figure_without_a_limit_has_no_row_and_is_told():
    found = everywhere(TEN, [], Everywhere(), "brain")
    assert {row.metric for row in found.rows} == set(Everywhere().limits)
    assert "bodies" not in Everywhere().limits
    assert found.figures["bodies"] == 3


def test_a_join_anywhere_is_worse_than_the_release_by_hand():
    """Kills growth that is compared as a difference, and differences of shares that are compared as growth."""
    joined = replace(TEN, bodies=2, squares=82.0, largest_vox=9)
    found = everywhere_against_release(joined, [BODY], RELEASE, Everywhere(), "here")
    values = {row.metric: row.value for row in found.rows}
    assert values["change_bodies"] == pytest.approx(2 / 3 - 1)
    assert values["change_body_size_um3"] == pytest.approx(82 / 46 - 1)
    assert values["change_largest_body_share"] == pytest.approx(0.3)
    failing = [row.metric for row in found.rows if not row.keeps_limit]
    assert failing == ["change_largest_body_share"]
    assert found.told["change_largest_body_share"] == (
        "Largest body of all of the volume, share is 0.3 above release 3 (0.9, there 0.6); the gate allows 0.1"
    )
    assert found.told["change_body_size_um3"].endswith("(4.1 um3, there 2.3); the gate allows 100 %")
    assert found.where == (PLACE,)


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (RELEASE.model_copy(update={"region": "there"}), "another region"),
        (RELEASE.model_copy(update={"figures": {}}), "none of"),
    ],
)
def test_unlike_things_are_not_compared_and_that_is_told(served, said):
    """Kills a silent skip, and a comparison of a part with a whole."""
    found = everywhere_against_release(TEN, [], served, Everywhere(), "here")
    assert found.rows == ()
    assert said in found.notes[0]


def entry(number: int, region: str, groundtruth: str, **figures: float) -> HistoryEntry:
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    judged = Judged("brain", f"r{number}", time, f"f{number}", None, "n", groundtruth, region, "", "c", "s", True)
    return HistoryEntry(
        judged, tuple(Measurement(name, value, None, None, None, True) for name, value in figures.items())
    )


def test_the_history_counts_of_this_region_on_any_ground_truth():
    """Kills a history that begins anew when the ground truth grows, and one over other voxels."""
    sizes = [1.0, 1.2, 1.1, 9.0]
    entries = [entry(i, "here" if size < 9 else "there", f"gt{i}", body_size_um3=size) for i, size in enumerate(sizes)]
    alike = comparable(entries, None, "here", "own")
    policy = Everywhere(regression=EverywhereRegression(body_size_um3=0.5))
    found = everywhere_against_history(TEN, [BODY], alike, policy, HistoryPolicy(last=3, mads=3))
    (row,) = found.rows
    assert row.metric == "trend_body_size_um3"
    assert row.value == pytest.approx(2.3 / 1.1 - 1)  # median 1.1; deviations 0.09, 0 and 0.09 of it, so 0.5 is more
    assert row.limit == 0.5
    assert not row.keeps_limit
    wide = everywhere_against_history(TEN, [BODY], alike, policy, HistoryPolicy(last=3, mads=20))
    assert wide.rows[0].limit == pytest.approx(20 * 1.4826 * 0.1 / 1.1)
    few = everywhere_against_history(TEN, [BODY], alike[1:], policy, HistoryPolicy(last=3))
    assert few.rows == ()
    assert "asks for 3 results" in few.notes[0]
