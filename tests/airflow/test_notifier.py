"""Who is told what, and how often, when something fails."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from tests.memory_store import MemoryStore

from emseg.alerts import Alert, Receipts
from emseg.errors import TransientError
from emseg.publish import ReleaseRecord
from emseg.tasks.run_folder import RunFolder, run_name
from emseg_airflow import notifier
from emseg_airflow.notifier import EmsegNotifier, PublicationNotifier, deliver
from emseg_airflow.refusal import GateRefusalError

RUN_ID = "manual__2026-11-22T22:00:00+00:00"
SECRET = "canary-in-the-webhook-path"


@dataclass
class TaskInstance:
    task_id: str
    log_url: str = "http://airflow/log"
    run: str = run_name(RUN_ID)

    def xcom_pull(self, task_ids: str) -> dict[str, str]:
        assert task_ids == "pin"
        return {"dataset": "demo", "run": self.run}


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryStore:
    """The object store of the deployment, with a dataset `demo` that tells of releases, too."""
    found = MemoryStore()
    monkeypatch.setattr(notifier, "object_store", lambda: found)
    monkeypatch.setenv("EMSEG_DATASETS", str(tmp_path))
    policy(tmp_path, "{published: info}")
    return found


def policy(folder: Path, alerts: str) -> None:
    (folder / "demo.yaml").write_text(
        f"name: demo\ndescription: a test volume\nalerts: {alerts}\n"
        "volume: {node: de30000000000000000000000000de30, groundtruth: {instance: groundtruth}}\n"
    )


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a webhook on this computer was sent; its Connection is set."""
    bodies: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "refuse" in self.path:
                self.send_response(404)
            else:
                bodies.append(body)
                self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_WEBHOOK", json.dumps({"conn_type": "http", "password": address}))
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()


def failed_task(task_id: str, error: Exception | None, run_id: str = RUN_ID) -> dict[str, Any]:
    dag = DAG("segment_volume")
    context = {"params": {"dataset": "demo"}, "run_id": run_id, "ti": TaskInstance(task_id), "dag": dag}
    return {**context, "exception": error} if error else context


def failed_run(reason: str) -> dict[str, Any]:
    return {**failed_task("segment", None), "reason": reason}


def down(*_: Any) -> None:
    raise TransientError("opening the store", "neurons", "no answer", "Later")


def refusal() -> GateRefusalError:
    return GateRefusalError(
        Alert(
            kind="refused",
            severity="error",
            title="The gate refused a segmentation",
            dataset="demo",
            run=run_name(RUN_ID),
            cause="f" * 32,
            reasons=("VI split of the volume is 1.5 bits; the limit is at most 1 bits",),
            figures={"vi_split": 1.5},
            links={"Report": "https://airflow/emseg/report/demo/run"},
        )
    )


ERROR = TransientError("reading grayscale", "node de30", "HTTP 503", "Try later")


def test_a_failed_task_tells_its_own_reason_in_the_log_and_to_the_webhook(
    received: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        EmsegNotifier()(failed_task("segment", ERROR))
    (body,) = received
    told = body["alert"]
    assert (told["kind"], told["severity"], told["title"]) == ("failed", "error", "Task segment failed")
    assert (told["dataset"], told["run"]) == ("demo", run_name(RUN_ID))
    assert told["reasons"] == [str(ERROR)]
    assert told["links"] == {
        "Run in Airflow": "http://localhost:8080/dags/segment_volume/runs/manual__2026-11-22T22%3A00%3A00%2B00%3A00",
        "Log of the task": "http://airflow/log",
    }
    assert "HTTP 503" in caplog.text
    assert SECRET not in caplog.text


def test_a_refusal_of_the_gate_carries_the_numbers_and_the_pages(received: list[dict[str, Any]]) -> None:
    EmsegNotifier()(failed_task("gate", refusal()))
    alert = received[0]["alert"]
    assert alert["kind"] == "refused"
    assert alert["reasons"] == ["VI split of the volume is 1.5 bits; the limit is at most 1 bits"]
    assert alert["figures"] == {"vi_split": 1.5}
    assert set(alert["links"]) == {"Report", "Run in Airflow", "Log of the task"}
    assert "https://airflow/emseg/report/demo/run" in str(refusal())


def test_a_cause_is_told_once_whoever_calls_and_how_often(received: list[dict[str, Any]]) -> None:
    """Kills a second message after a clear, from a task whose worker was killed in its callback, and from the DAG."""
    for error in (ERROR, TransientError(ERROR.doing, "node de31", "HTTP 504", "Try later")):
        EmsegNotifier()(failed_task("segment", error))
    EmsegNotifier()(failed_run("task_failure"))
    assert len(received) == 1


def test_another_fault_of_the_same_task_is_another_cause(received: list[dict[str, Any]]) -> None:
    """Kills silence about a run that was cleared and failed for another reason."""
    EmsegNotifier()(failed_task("segment", ERROR))
    EmsegNotifier()(failed_task("segment", ValueError("what was wrong")))
    EmsegNotifier()(failed_task("stitch", ValueError("what was wrong")))
    EmsegNotifier()(failed_task("stitch", ValueError("what was wrong"), "another run"))
    assert len(received) == 4


def test_the_callback_of_the_dag_delivers_what_a_channel_did_not_take(
    received: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kills an alert that is lost with the first answer of a receiver, and one that comes twice in the log."""
    address = os.environ["AIRFLOW_CONN_EMSEG_WEBHOOK"]
    with caplog.at_level(logging.INFO), monkeypatch.context() as broken:
        broken.setenv("AIRFLOW_CONN_EMSEG_WEBHOOK", address.replace(SECRET, "refuse"))
        EmsegNotifier()(failed_task("segment", ERROR))
        assert received == []
    with caplog.at_level(logging.INFO):
        EmsegNotifier()(failed_run("task_failure"))
        EmsegNotifier()(failed_run("task_failure"))
    (body,) = received
    assert body["alert"]["title"] == "Task segment failed"
    assert caplog.text.count("[ERROR] Task segment failed") == 1


def test_a_task_whose_notifier_was_killed_before_it_told_anybody_is_told_of_by_the_dag(
    received: list[dict[str, Any]],
) -> None:
    """Kills silence about a failed run: Airflow says `task_failure`, and no task has left a receipt."""
    EmsegNotifier()(failed_run("task_failure"))
    EmsegNotifier()(failed_run("task_failure"))
    (body,) = received
    assert body["alert"]["title"] == "A run failed"


def test_a_run_that_was_late_and_whose_notifier_was_killed_is_told_of_by_the_dag(
    received: list[dict[str, Any]], store: MemoryStore
) -> None:
    """Kills a callback that takes any receipt of the run for one about its failure."""
    late = Alert(kind="late", severity="warning", title="late", dataset="demo", run=run_name(RUN_ID))
    deliver([late], store, Receipts(store, "demo", run_name(RUN_ID)))
    EmsegNotifier()(failed_run("task_failure"))
    assert [body["alert"]["title"] for body in received] == ["late", "A run failed"]


def test_a_refusal_that_nobody_wants_to_hear_of_is_not_told_as_a_failed_run(
    received: list[dict[str, Any]], tmp_path: Path
) -> None:
    policy(tmp_path, "{refused: null}")
    EmsegNotifier()(failed_task("gate", refusal()))
    EmsegNotifier()(failed_run("task_failure"))
    assert received == []


def test_a_run_that_fails_without_a_failed_task_is_told_of_by_the_dag(received: list[dict[str, Any]]) -> None:
    """The DAG processor gives the callback no more than this where it knows no task."""
    EmsegNotifier()({"run_id": RUN_ID, "reason": "all_tasks_deadlocked"})
    (body,) = received
    assert body["alert"]["title"] == "A run failed"
    assert body["alert"]["dataset"] == "not chosen"
    assert "all_tasks_deadlocked" in body["alert"]["reasons"][0]


def test_a_task_whose_worker_died_is_told_of_too(received: list[dict[str, Any]]) -> None:
    """Its callback runs elsewhere, without an exception."""
    EmsegNotifier()(failed_task("stitch", None))
    assert "lost or killed" in received[0]["alert"]["reasons"][0]


def test_without_a_webhook_the_log_has_the_alert(caplog: pytest.LogCaptureFixture) -> None:
    EmsegNotifier()(failed_task("plan", ValueError("what was wrong")))
    assert "what was wrong" in caplog.text


def test_an_unusable_webhook_keeps_the_alert_out_of_no_other_channel(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection = {"conn_type": "http", "password": f"ftp://example.org/{SECRET}"}
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_WEBHOOK", json.dumps(connection))
    EmsegNotifier()(failed_task("plan", ValueError("what was wrong")))
    assert "what was wrong" in caplog.text
    assert "example.org" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("broken", ["open", "write"])
@pytest.mark.fault("F22")
def test_people_hear_of_an_object_store_that_is_down(
    broken: str, received: list[dict[str, Any]], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills an alert that needs what it is about. Then only the callback of the task tells, as it has no receipt."""
    if broken == "open":
        monkeypatch.setattr(notifier, "object_store", down)
    else:
        monkeypatch.setattr(store, "put_if_absent", down)
    EmsegNotifier()(failed_task("segment", ERROR))
    assert [body["alert"]["title"] for body in received] == ["Task segment failed"]
    if broken == "open":
        EmsegNotifier()(failed_run("task_failure"))
        assert len(received) == 1


def test_the_receipts_lie_in_the_folder_of_the_run_or_beside_the_datasets(store: MemoryStore) -> None:
    """Kills a folder in the store that anybody can name, through a parameter that is no dataset."""
    EmsegNotifier()(failed_task("pin", ValueError("wrong")))
    unknown = failed_task("pin", ValueError("wrong"))
    EmsegNotifier()({**unknown, "params": {"dataset": "../releases"}})
    tops = {key.rsplit("/", 1)[0] for key in store.objects if key != "demo/alerts/trouble.json"}
    assert tops == {f"{top}/runs/{run_name(RUN_ID)}/alerts" for top in ("demo", "alerts")}


@pytest.mark.parametrize(("alerts", "severities"), [("{failed: null}", []), ("{failed: warning}", ["warning"])])
def test_the_dataset_file_says_which_kinds_are_told_and_how_urgent_they_are(
    alerts: str, severities: list[str], received: list[dict[str, Any]], tmp_path: Path
) -> None:
    policy(tmp_path, alerts)
    EmsegNotifier()(failed_task("segment", ERROR))
    assert [body["alert"]["severity"] for body in received] == severities


def test_a_broken_dataset_file_is_told_of_all_the_same(received: list[dict[str, Any]], tmp_path: Path) -> None:
    """Kills a policy that is read from the file whose fault the alert is about."""
    (tmp_path / "demo.yaml").write_text("name: demo\n")
    EmsegNotifier()(failed_task("pin", ValueError("no volume")))
    assert len(received) == 1


def published(store: MemoryStore, run_id: str, released_by: str | None = None) -> dict[str, Any]:
    """The context of a `publish` that succeeded; the release is of `released_by`, where this run changed nothing."""
    run = run_name(run_id)
    record = ReleaseRecord(
        number=4,
        dataset="demo",
        root="a" * 32,
        uuid="b" * 32,
        branch="emseg-1",
        instance="segmentation",
        fingerprint="f" * 32,
        run=released_by or run,
        figures={"vi_split": 0.5},
        supersedes=None,
    )
    RunFolder(store, "demo", run).write("release", record)
    context = failed_task("publish", None, run_id)
    return {**context, "ti": TaskInstance("publish", run=run)}


def test_a_release_is_told_once_where_the_policy_asks_for_it(
    received: list[dict[str, Any]], store: MemoryStore, tmp_path: Path
) -> None:
    for _ in range(2):
        PublicationNotifier()(published(store, "first"))
    PublicationNotifier()(published(store, "unchanged", released_by=run_name("first")))
    (body,) = received
    assert (body["alert"]["kind"], body["alert"]["title"]) == ("published", "Release 4 is published")
    assert body["alert"]["figures"] == {"vi_split": 0.5}
    assert body["alert"]["links"]["Report"].endswith(f"/emseg/report/demo/{run_name('first')}")
    policy(tmp_path, "{}")
    PublicationNotifier()(published(store, "second"))
    assert len(received) == 1


def test_the_first_publication_after_a_failure_says_that_the_dataset_has_recovered(
    received: list[dict[str, Any]], store: MemoryStore
) -> None:
    """Kills `recovered` after every run, twice for one, and none after a run that changed nothing."""
    EmsegNotifier()(failed_task("gate", refusal()))
    for _ in range(2):
        PublicationNotifier()(published(store, "next", released_by="an earlier run"))
    PublicationNotifier()(published(store, "after"))
    kinds = [(body["alert"]["kind"], body["alert"]["severity"]) for body in received]
    assert kinds == [("refused", "error"), ("recovered", "info"), ("published", "info")]
    assert "The gate refused a segmentation" in received[1]["alert"]["title"]
    assert received[1]["alert"]["run"] == run_name("next")


def test_receipts_name_no_address(received: list[dict[str, Any]], store: MemoryStore) -> None:
    EmsegNotifier()(failed_task("segment", ERROR))
    assert received
    assert not any(SECRET.encode() in data for data in store.objects.values())
    (receipt,) = Receipts(store, "demo", run_name(RUN_ID)).of_this_run()
    assert {name: each.state for name, each in receipt.deliveries.items()} == {
        "log": "delivered",
        "webhook": "delivered",
    }
