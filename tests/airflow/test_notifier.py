"""Who is told what, and how often, when something fails."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError, TransientError
from emseg.quality import Verdict
from emseg.tasks.run_folder import run_name
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.refusal import GateRefusalError

RUN_ID = "manual__2026-11-22T22:00:00+00:00"
SECRET = "canary-in-the-webhook-path"


@dataclass
class TaskInstance:
    task_id: str
    log_url: str = "http://airflow/log"


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a webhook on this computer was sent; its Connection is set."""
    bodies: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_WEBHOOK", json.dumps({"conn_type": "http", "password": address}))
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()


def failed_task(task_id: str, error: Exception | None) -> dict[str, Any]:
    context = {"params": {"dataset": "demo"}, "run_id": RUN_ID, "ti": TaskInstance(task_id)}
    return {**context, "exception": error} if error else context


def refusal() -> GateRefusalError:
    verdict = Verdict(
        passed=False,
        fingerprint="f" * 32,
        dataset="demo",
        run=run_name(RUN_ID),
        reasons=("VI split of the volume is 1.5 bits; the limit is at most 1 bits",),
        figures={"vi_split": 1.5},
        rows=(),
    )
    return GateRefusalError(verdict, ("Body 7 costs 0.9 bits",), {"Report": "s3://neurons/report.html"})


def test_a_failed_task_tells_its_own_reason_in_the_log_and_to_the_webhook(
    received: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    error = TransientError("reading grayscale", "node de30", "HTTP 503", "Try later")
    with caplog.at_level(logging.INFO):
        EmsegNotifier()(failed_task("segment", error))
    (body,) = received
    assert body["alert"]["title"] == "Task segment failed"
    assert body["alert"]["dataset"] == "demo"
    assert body["alert"]["run"] == run_name(RUN_ID)
    assert body["alert"]["reasons"] == [str(error)]
    assert body["alert"]["links"] == {"Log of the task": "http://airflow/log"}
    assert "HTTP 503" in caplog.text
    assert SECRET not in caplog.text


def test_a_refusal_of_the_gate_carries_the_numbers_and_the_worst_bodies(received: list[dict[str, Any]]) -> None:
    EmsegNotifier()(failed_task("gate", refusal()))
    alert = received[0]["alert"]
    assert alert["reasons"] == ["VI split of the volume is 1.5 bits; the limit is at most 1 bits"]
    assert alert["figures"] == {"vi_split": 1.5}
    assert alert["worst_bodies"] == ["Body 7 costs 0.9 bits"]
    assert alert["links"]["Report"] == "s3://neurons/report.html"


def test_the_callback_of_the_dag_is_silent_about_a_failure_that_its_task_has_told(
    received: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Kills two alerts for one failure."""
    EmsegNotifier()({**failed_task("segment", None), "reason": "task_failure"})
    assert received == []
    assert "segment" not in caplog.text


def test_a_run_that_fails_without_a_failed_task_is_told_of_by_the_dag(received: list[dict[str, Any]]) -> None:
    """The DAG processor gives the callback no more than this where it knows no task."""
    EmsegNotifier()({"run_id": RUN_ID, "reason": "all_tasks_deadlocked"})
    (body,) = received
    assert body["alert"]["title"] == "A run failed"
    assert "all_tasks_deadlocked" in body["alert"]["reasons"][0]


def test_a_task_whose_worker_died_is_told_of_too(received: list[dict[str, Any]]) -> None:
    """Its callback runs elsewhere, without an exception."""
    EmsegNotifier()(failed_task("stitch", None))
    assert "lost or killed" in received[0]["alert"]["reasons"][0]


def test_without_a_webhook_the_log_has_the_alert(caplog: pytest.LogCaptureFixture) -> None:
    EmsegNotifier()(failed_task("plan", ValueError("what was wrong")))
    assert "what was wrong" in caplog.text


def test_an_unusable_webhook_does_not_keep_the_alert_out_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection = {"conn_type": "http", "password": f"ftp://example.org/{SECRET}"}
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_WEBHOOK", json.dumps(connection))
    with refused(PermanentError, "example.org", "'ftp'") as caught:
        EmsegNotifier()(failed_task("plan", ValueError("what was wrong")))
    assert "what was wrong" in caplog.text
    assert SECRET not in caplog.text + str(caught.value)
