"""Airflow's web page as a person uses it, on the Airflow of the test run (fixture `airflow`).

The fixture's Airflow has the DAG files of the project and a dataset file `demo`, whose volume is in its DVID.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from tests.pipeline import browser
from tests.pipeline.conftest import PUBLISHED_RUNS

from emseg.alerts import Receipts
from emseg.devstack import DevStack
from emseg.engine.report import StageReport
from emseg.phases import stages
from emseg.phases.keys import phase_keys
from emseg.publish import ReleaseRecord, served_release
from emseg.store import S3Store
from emseg.tasks.run_folder import RunFolder, run_name

DAG_ID = "segment_volume"
RUN_TIMEOUT_S = 600.0
LOOKS_S = 6.0
LATE = "late"
"""Dataset whose runs are late after two seconds."""
PLANNED = ("pin", "plan", "unless_dry_run")
DONE_AFTER = ("segment", "stitch", "evaluate", "gate", "approve", "publish")


pytestmark = [
    pytest.mark.airflow,
    pytest.mark.services,
    pytest.mark.skipif(
        browser.chromium() is None and os.environ.get("CI") != "true",
        reason="no Chromium here: apt-get install chromium",
    ),
]


@pytest.fixture(scope="module")
def store(devstack: DevStack) -> S3Store:
    return S3Store.open(devstack.s3)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def test_a_person_starts_a_dry_run_in_the_form_reads_the_plan_and_is_told_that_it_is_late(
    airflow: Any, pictures: Path, alerts: list[dict[str, Any]], store: S3Store
) -> None:
    """Kills a form whose untouched fields are refused (the Advanced section shows [] for nothing), and a dry run that
    submits something."""
    with browser.airflow_page(airflow.url, pictures) as page:
        page.log_in(airflow.username, airflow.password)
        page.open_form(DAG_ID)
        assert page.shown_in("preset") == page.shown_in("stitch") == "as in the dataset file"
        page.choose("dataset", LATE)
        page.switch_on("dry_run")
        page.picture("form")
        page.open_section("Advanced", "Subvolume core, voxels Z Y X")
        page.picture("form-advanced")
        run_id = page.submit(DAG_ID)
        page.show_run(DAG_ID, run_id)
        page.picture("run-begins")
        assert page.end_of_run(RUN_TIMEOUT_S) == "success"
        page.expect_tasks({**dict.fromkeys(PLANNED, "success"), **dict.fromkeys(DONE_AFTER, "skipped")})
        page.picture("dry-run")
        page.show_log(DAG_ID, run_id, "plan", containing="subvolumes")
        page.picture("plan")
        assert page.hosts() == {urlsplit(airflow.url).netloc}
    _told_once_that_it_is_late(run_name(run_id), alerts, store)


def _told_once_that_it_is_late(run: str, alerts: list[dict[str, Any]], store: S3Store) -> None:
    """Kills a deadline that Airflow cannot store or its triggerer cannot call. The dataset is late after 1.8 s."""
    ends = time.monotonic() + 60
    while not (told := [each["alert"] for each in alerts if each["alert"]["run"] == run]):
        assert time.monotonic() < ends, "nobody was told"
        time.sleep(0.5)
    (alert,) = told
    assert (alert["kind"], alert["severity"], alert["dataset"]) == ("late", "warning", LATE)
    (receipt,) = Receipts(store, LATE, run).of_this_run()
    assert {name: each.state for name, each in receipt.deliveries.items()} == {
        "log": "delivered",
        "webhook": "delivered",
    }
    assert requests.get(alert["links"]["Run in Airflow"], timeout=30).status_code == 200


def _approve(airflow: Any, run_id: str) -> Any:
    return next(task for task in airflow.api.task_states(DAG_ID, run_id) if task.task_id == "approve")


def _answer_when_asked(airflow: Any, run_id: str, answer: Callable[[], None]) -> None:
    """Answer, and once more where Airflow asks again: it loses an answer that comes within seconds of the question.

    A person looks first, and each question that is asked again costs Airflow another task.
    """
    deadline, answered, asked_s = time.monotonic() + RUN_TIMEOUT_S, 0, 0.0
    while (task := _approve(airflow, run_id)).state != "success":
        assert time.monotonic() < deadline
        assert airflow.api.run_state(DAG_ID, run_id) != "failed"
        is_asked = task.state == "awaiting_input" and task.try_number > answered
        asked_s = (asked_s or time.monotonic()) if is_asked else 0.0
        if is_asked and time.monotonic() - asked_s >= LOOKS_S:
            answered = task.try_number
            answer()
        time.sleep(1)


@pytest.fixture(scope="module")
def approved(airflow: Any, alerts: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of a run of dataset `demo` that a person was told of, looked at and approved."""
    alerts.clear()
    with browser.airflow_page(airflow.url, tmp_path_factory.mktemp("pictures")) as page:
        page.log_in(airflow.username, airflow.password)
        page.open_form(DAG_ID)
        for field, value in (("dataset", "demo"), ("stitch", "medium"), ("publication", "approval")):
            page.choose(field, value)
        run_id: str = page.submit(DAG_ID)
        answer = partial(page.answer, DAG_ID, run_id, "approve", "VI split", {"why": "looks whole"}, "approval")
        _answer_when_asked(airflow, run_id, answer)
        (told,) = alerts
        assert (told["alert"]["kind"], told["alert"]["run"]) == ("waiting", run_name(run_id))
        assert told["alert"]["links"]["Decide in Airflow"].endswith(f"{quote(run_id)}/tasks/approve/required_actions")
        page.show_run(DAG_ID, run_id)
        assert page.end_of_run(RUN_TIMEOUT_S) == "success"
        page.show_log(DAG_ID, run_id, "publish", containing="Release ")
    return run_id


def test_a_person_looks_at_the_evidence_and_approves(airflow: Any, approved: str, store: S3Store) -> None:
    """Kills a run that publishes unasked, a question without figures, and a release that does not say who let it."""
    release = RunFolder(store, "demo", run_name(approved)).read("release", ReleaseRecord)
    assert (release.approved_by, release.why) == (airflow.username, "looks whole")


@pytest.mark.usefixtures("approved")
def test_a_person_starts_an_unchanged_run_that_computes_nothing_and_keeps_the_release(
    airflow: Any, pictures: Path, store: S3Store
) -> None:
    """Kills a run that does again what another run did, and a second release of the same bytes."""
    before = served_release(store, "demo")
    assert before is not None
    with browser.airflow_page(airflow.url, pictures) as page:
        page.log_in(airflow.username, airflow.password)
        page.open_form(DAG_ID)
        page.choose("dataset", "demo")
        page.choose("stitch", "medium")
        run_id = page.submit(DAG_ID)
        page.show_run(DAG_ID, run_id)
        assert page.end_of_run(RUN_TIMEOUT_S) == "success"
        page.expect_tasks(dict.fromkeys((*PLANNED, *DONE_AFTER), "success"))
        page.picture("run")
        page.show_log(DAG_ID, run_id, "gate", containing="The gate passes this result")
        page.picture("gate")
        page.show_log(DAG_ID, run_id, "publish", containing="Release ")
        page.picture("release")
        page.show_run(DAG_ID, run_id)
        page.show_graph()
        page.picture("graph")
    PUBLISHED_RUNS.append(run_id)
    folder = RunFolder(store, "demo", run_name(run_id))
    done = {stage.name: folder.read(f"report-{stage.name}", StageReport).items_done for stage in stages()}
    assert done == dict.fromkeys(("segment", "stitch", "evaluate"), 0)
    assert served_release(store, "demo") == before
    assert before.uuid == phase_keys(folder.spec())["write"]
