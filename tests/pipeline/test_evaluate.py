"""The DAG `evaluate_segmentation` for real: its figures are those of the report, and those of the command line."""

from __future__ import annotations

import os
import time

import pytest
from tests.forked import emseg

from emseg.config.base import EVALUATIONS
from emseg.engine.report import StageReport
from emseg.publish import ReleaseRecord
from emseg.quality import Verdict
from emseg.quality.scores import Scores
from emseg.tasks.run_folder import RunFolder, run_name

pytestmark = [pytest.mark.services, pytest.mark.airflow]

DAG = "evaluate_segmentation"
TIMEOUT_S = 300


def test_the_dag_the_report_and_the_command_line_have_the_same_figures(
    airflow, services, published, devstack, volume, tmp_path
):
    """Kills a second way to measure: the cut is another one for each of the three, the figures are not.

    And a DAG that runs only where its author tried it, or whose job takes the evaluation for the stage of a dataset.
    """
    release, verdict = (published.folder.read(n, k) for n, k in (("release", ReleaseRecord), ("verdict", Verdict)))
    both = {"segmentation": f"{release.uuid}:{release.instance}", "groundtruth": f"{volume.node}:groundtruth"}
    scores, report = _by_the_dag(airflow, services.store, {**both, "core_vox": [64, 128, 64]})
    assert report.items_done == 2 * 2 * 3
    for name in ("vi_split", "vi_merge", "adapted_rand_error", "largest_segment_share", "assigned_share"):
        assert scores.figures[name] == pytest.approx(verdict.figures[name], abs=1e-12)
    page = published.folder.read_file("report.html").decode()
    assert f"{scores.figures['vi_split']:.4f}" in page

    environment = {**os.environ, **devstack.environment(), "EMSEG_S3_PREFIX": "compared", "COLUMNS": "200"}
    out = tmp_path / "scores.json"
    done = emseg("evaluate", *both.values(), "--out", out, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "evaluate: 1 items done, 0 reused" in done.stdout
    found = Scores.model_validate_json(out.read_text())
    assert found.figures == pytest.approx(scores.figures, abs=1e-12)
    assert (found.edits, found.findings) == (scores.edits, scores.findings)
    assert found.places[0].link in done.stdout
    assert f"{scores.figures['vi_merge']:.4f}" in done.stdout

    refused = emseg("evaluate", both["segmentation"], f"{volume.node}:grayscale", environment=environment)
    assert refused.returncode == 64
    assert "of type uint8blk, not labelmap" in " ".join(refused.stderr.split())


def _by_the_dag(airflow, store, conf: dict[str, object]) -> tuple[Scores, StageReport]:
    airflow.api.unpause(DAG)
    run_id = airflow.api.trigger(DAG, conf)
    deadline = time.monotonic() + TIMEOUT_S
    while (state := airflow.api.run_state(DAG, run_id)) not in {"success", "failed"}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    logs = [airflow.api.task_log(DAG, run_id, task) for task in airflow.api.task_states(DAG, run_id)]
    assert state == "success", [log[-1500:] for log in logs]
    folder = RunFolder(store, EVALUATIONS, run_name(run_id))
    scores = folder.read("scores", Scores)
    assert any(scores.places[0].text in log for log in logs)
    return scores, folder.read("report-evaluate", StageReport)
