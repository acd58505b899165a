"""Metrics of packages in a whole evaluation: kept, judged, in the key, and never those of another version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluate.test_plugin import FIGURE, allowed, gives, plugin, raising
from tests.phases.test_evaluate import evaluated, run_of
from tests.refusals import refused

from emseg.config.gate import FigurePolicy, GatePolicy
from emseg.config.runspec import PinnedMetric
from emseg.errors import PermanentError
from emseg.evaluate.plugin_registry import KnownMetric
from emseg.phases.evaluate import figures as figures_module
from emseg.phases.evaluate.figures import pinned_metric
from emseg.phases.keys import phase_keys
from emseg.quality import judge, metric_rows, optional
from emseg.quality.rows import MetricRow


def installed(monkeypatch, own, package: str = "own-metrics==1.0") -> PinnedMetric:
    monkeypatch.setattr(figures_module, "known_metric", lambda _: KnownMetric(own, package))
    return pinned_metric("own")


def with_metrics(tmp_path, *metrics: PinnedMetric):
    run = run_of(tmp_path)
    return replace(run, spec=run.spec.model_copy(update={"metrics": metrics}))


def test_the_installed_metric_measures_what_counts_of_the_whole(tmp_path, example_package, monkeypatch):
    """Kills a metric of one subvolume, and numbers that the gate cannot find."""
    with allowed(example_package, "emseg-gradient-boundary", monkeypatch):
        metric = pinned_metric("fragments")
        evaluation = evaluated(with_metrics(tmp_path, metric))
    told = {figure.name: value for figure, value in evaluation.figures.items()}
    table = evaluation.whole
    bodies = {int(body): table.count[table.groundtruth == body] for body in set(table.groundtruth.tolist())}
    pieces = sum(n.sum() / ((n / n.sum()) ** 2).sum() for n in bodies.values()) / table.voxels
    assert told["fragments_mean"] == pytest.approx(pieces)
    assert told["whole_bodies"] == 0


def test_a_metric_that_raises_fails_its_own_row_and_no_other(tmp_path: Path, monkeypatch):
    """Kills a silent pass, an evaluation that ends, and a message that leaves out the reason."""
    own = plugin(raising(ValueError("no weights")), figures=(FIGURE, replace(FIGURE, name="second", title="Second")))
    evaluation = evaluated(with_metrics(tmp_path / "store", installed(monkeypatch, own)))
    policy = GatePolicy(
        vi_split_max=9, vi_merge_max=9, are_max=1, largest_body_share_max=1, subvolume_vi_max=9,
        figures={"own_figure": FigurePolicy(limit=2)},
    )  # fmt: skip
    rows = metric_rows("brain", evaluation.score, evaluation.subvolumes, policy)
    compared = [optional(evaluation.figures, policy, "brain")]
    verdict = judge(rows, policy, tmp_path, dataset="brain", run="r", fingerprint="f" * 32, compared=compared)
    reason = "metric own raised ValueError: no weights"
    assert verdict.reasons == (
        f"Own figure of the volume was not measured ({reason}); the gate asks for at most 2 bits",
    )
    assert verdict.notes == (f"Not measured: Own figure; Second ({reason})",)
    assert [row for row in verdict.rows if not row.keeps_limit] == [
        MetricRow("volume", "brain", "own_figure", None, 2.0, "max")
    ]


def test_name_version_and_package_are_in_the_key_of_evaluate_alone(tmp_path, monkeypatch):
    """Kills numbers of an older metric that are found again."""
    metrics = [
        (),
        (installed(monkeypatch, gives(1.0)),),
        (installed(monkeypatch, plugin(None, version=2)),),
        (installed(monkeypatch, gives(1.0), "own-metrics==1.1"),),
    ]
    keys = [phase_keys(with_metrics(tmp_path, *each).spec) for each in metrics]
    assert len({each["evaluate"] for each in keys}) == len(metrics)
    assert len({each["write"] for each in keys}) == 1


def test_a_driver_with_another_version_than_the_plan_measures_nothing(tmp_path, monkeypatch):
    """Kills numbers of one version under the key of another."""
    planned = installed(monkeypatch, gives(1.0))
    installed(monkeypatch, gives(2.0), "own-metrics==1.1")
    with refused(PermanentError, "metric own", "own-metrics==1.0", "own-metrics==1.1"):
        evaluated(with_metrics(tmp_path, planned))
