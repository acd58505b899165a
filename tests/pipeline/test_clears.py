"""Airflow's scheduler dies and comes back, and a person clears tasks in odd orders: the same result, nothing redone."""

from __future__ import annotations

import os
import signal
from urllib.parse import urlsplit

import psutil
import pytest
from tests.conftest import PROJECT

from emseg.devstack.airflow import airflow_up
from emseg.engine.report import StageReport
from emseg.publish import releases

pytestmark = [pytest.mark.services, pytest.mark.spark, pytest.mark.airflow, pytest.mark.long]

STAGES = ("segment", "stitch", "evaluate")
RUN_AGAIN = {"gate": (), "stitch": STAGES[1:], "evaluate": STAGES[2:], "segment": STAGES, "pin": STAGES}
"""Tasks to clear, in this order, and the stages that Airflow then runs again."""


@pytest.mark.fault("F26")
def test_tasks_cleared_in_odd_orders_and_a_killed_scheduler_change_nothing(
    airflow, devstack, published, services, request
):
    """Kills tasks that take the results of an earlier try for their own, and a release for each clear."""
    digests = _digests(published)
    numbers = [release.number for release in releases(services.store, "demo")]
    for cleared, again in RUN_AGAIN.items():
        airflow.api.clear("segment_volume", published.run_id, (cleared,))
        if cleared == "segment":
            _kill_scheduler(devstack.root)
            airflow_up(devstack, PROJECT, port=urlsplit(airflow.url).port)
        assert published.ended() == "success", (cleared, published.tasks())
        assert _digests(published) == digests
        done = {stage: published.folder.read(f"report-{stage}", StageReport).items_done for stage in again}
        assert done == dict.fromkeys(again, 0), f"clearing {cleared} computed items again"
    assert [release.number for release in releases(services.store, "demo")] == numbers
    request.node.user_properties.append(
        ("figure", "5 clears in odd orders, scheduler killed once: 0 items redone, no new release")
    )


def _digests(run) -> list[str]:
    return [phase.content_digest for report in _reports(run) for phase in report.phases]


def _reports(run) -> list[StageReport]:
    return [run.folder.read(f"report-{stage}", StageReport) for stage in STAGES]


def _kill_scheduler(root) -> None:
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "scheduler" in (process.info["cmdline"] or []) and _belongs(process, root)
    ]
    assert found, "the scheduler of this test run is not there"
    for process in found:
        os.kill(process.pid, signal.SIGKILL)


def _belongs(process: psutil.Process, root) -> bool:
    try:
        return process.environ().get("EMSEG_DEVSTACK") == str(root.resolve())
    except psutil.Error:
        return False
