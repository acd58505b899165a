"""The figures of a report: own, served, and how much worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.quality.test_history import entry

from emseg.config.gate import GatePolicy
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import PerSubvolume, contingency_table, score
from emseg.quality import Comparison, Measured, Measurement, MetricRow, metric_rows
from emseg.quality.report.figures import TREND_POINTS, ReportFigures
from emseg.quality.rows import Metric


def measured(seed: int) -> Measured:
    """Six subvolumes of 200 voxels; the more segments, the larger the seed."""
    rng = np.random.default_rng(1)
    truth = rng.integers(1, 4, (6, 200))
    tables = {f"sv-{i:08d}": contingency_table(truth[i] * 10 + rng.integers(0, seed, 200), truth[i]) for i in range(6)}
    parts = PerSubvolume.of(tables)
    return Measured.of(score(parts.whole), parts, "ab", Unassigned.SEGMENT)


def test_a_figure_is_beside_the_release_on_the_same_resamples():
    """Kills a worsening of the wrong sign where less is worse, and an interval that is not about the difference."""
    own, served = measured(4), measured(2)
    rows = metric_rows("demo", own.score, {}, GatePolicy())
    found = {each.metric: each for each in ReportFigures().figures(rows, own, served)}
    vi, assigned = found["vi"], found["assigned_share"]
    assert (vi.value, vi.served) == (own.score.vi, served.score.vi)
    assert vi.worsening == pytest.approx(own.score.vi - served.score.vi)
    assert vi.worsening > 0
    assert vi.worsening_interval.low < vi.worsening < vi.worsening_interval.high
    assert vi.interval.high - vi.interval.low > 0
    assert (vi.limit, found["vi_split"].limit) == (None, 2.0)
    assert assigned.worsening == 0
    better = replace(own, score=replace(own.score, assigned_share=0.5))
    rows = metric_rows("demo", better.score, {}, GatePolicy())
    worse = {each.metric: each for each in ReportFigures().figures(rows, better, served)}["assigned_share"]
    assert worse.worsening == 0.5


def test_a_row_of_any_kind_is_named_by_its_comparison_and_is_beside_what_is_known_of_the_release():
    """Kills a report that shows only the metrics of a score, and one that needs ground truth."""
    row = MetricRow("volume", "demo", "orphans", 12.0, 10.0, "max")
    metric = Metric("volume", "orphans", "Orphans", "bodies", "orphans_max")
    (found,) = ReportFigures([Comparison(metrics=(metric,))]).figures([row], None, None, {"orphans": 9.0})
    assert (found.title, found.unit, found.kept) == ("Orphans", "bodies", False)
    assert (found.served, found.worsening) == (9.0, 3.0)
    (unknown,) = ReportFigures().figures([replace(row, value=float("inf"))], None, None)
    assert (unknown.title, unknown.value) == ("orphans", None)


def test_what_was_counted_over_all_of_the_volume_has_a_row_with_and_without_a_limit():
    """Kills a figure without a limit that nobody sees, and a share of the volume beside that of the ground truth."""
    row = MetricRow("everywhere", "demo", "orphan_share", 0.25, 0.5, "max")
    counted = {"orphan_share": 0.25, "bodies": 12.0, "vi_split": 0.5}
    found = ReportFigures().figures([row], None, None, {"bodies": 10.0}, counted)
    assert [(each.metric, each.limit, each.value) for each in found] == [
        ("orphan_share", 0.5, 0.25),
        ("bodies", None, 12.0),
    ]
    assert (found[1].served, found[1].worsening, found[1].kept) == (10.0, 2.0, True)
    assert found[1].title == "Bodies of all of the volume"


def test_trends_are_of_the_last_runs_and_leave_out_what_was_not_measured():
    entries = [entry(number, number / 8) for number in range(TREND_POINTS + 5)]
    found, _ = ReportFigures().trends(entries)
    assert [point.value for point in found.points] == [number / 8 for number in range(5, TREND_POINTS + 5)]
    change = Measurement("change_vi", 0.1, None, None, 0.2, True)
    unmeasured = Measurement("vi_split", None, None, None, 1.0, False)
    last = replace(entries[-1], measurements=(*entries[-1].measurements, change, unmeasured))
    assert [trend.metric for trend in ReportFigures().trends([*entries[:3], last])] == ["vi", "adapted_rand_error"]
    assert ReportFigures().trends([]) == ()
