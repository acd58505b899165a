"""A driver in the cluster, with a `spark-submit` that writes down what it is given: here is no YARN or Kubernetes.

What runs for real: the operator, the provider's hook, the trigger, and a driver that lives and ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import TriggerEvent
from tests.airflow.submitting import (  # noqa: F401 (fixtures)
    CANARIES,
    REASON,
    REPORT,
    RUN,
    TaskInstance,
    connections_fixture,
    execute,
    operator,
    store_fixture,
    submit_fixture,
)
from tests.refusals import refused
from tests.running import a_spec

from emseg.config.resources import JobResources
from emseg.engine.report import Failure
from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError
from emseg.geometry import Box
from emseg.store import FolderStore
from emseg.tasks import one_run
from emseg.tasks.driver_life import Driver, DriverLife, driver_life
from emseg.tasks.one_run import one_run_at_a_time
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import triggers
from emseg_airflow.triggers import SILENT_S, DriverTrigger, TurnTrigger, Watch

Connections = Callable[..., None]
Submit = Callable[[str], Path]

CLUSTERS = [
    pytest.param("yarn", {"services-file": "/etc/emseg/services"}, "pass", id="yarn"),
    pytest.param(
        "k8s://https://kubernetes:6443",
        {"secret": "emseg-services", "namespace": "em", "main": "local:///opt/emseg/spark_jobs/run_stage.py"},
        "print('submission ID spark:emseg-segment-1f-driver')",
        id="kubernetes",
    ),
]


def deferred(task: Any, context: Any = RUN) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        execute(task, context)
    return raised.value


def resumed(task: Any, waiting: TaskDeferred) -> Any:
    """What the task gives when its trigger has fired, after a way through Airflow's database."""
    path, arguments = waiting.trigger.serialize()
    again = getattr(triggers, path.rpartition(".")[2])(**json.loads(json.dumps(arguments)))

    async def fired() -> TriggerEvent:
        async for event in again.run():
            return event
        raise AssertionError("it ended without an event")

    event = asyncio.run(fired())
    return getattr(task, waiting.method_name)({"ti": TaskInstance(RUN)}, event.payload)


@pytest.mark.parametrize(("master", "extra", "printed"), CLUSTERS)
def test_a_job_in_the_cluster_takes_no_worker_and_no_secret_leaves_airflow(
    master: str,
    extra: dict[str, str],
    printed: str,
    connections: Connections,
    submit: Submit,
    store: FolderStore,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Kills a driver that looks for its secrets where they are not, and secrets in arguments or the submitter."""
    connections(master, **{"deploy-mode": "cluster", **extra})
    record, folder, task = submit(f"{printed}; sys.exit(0)"), RunFolder(store, **RUN), operator()
    with caplog.at_level(logging.DEBUG):
        waiting = deferred(task)
    given = json.loads(record.read_text())
    output = capfd.readouterr()
    assert "canary" not in json.dumps(given) + caplog.text + output.out + output.err
    words = given["arguments"]
    assert words[words.index("--deploy-mode") + 1] == "cluster"
    *_, main, stage, dataset, run, submission = words
    assert (stage, dataset, run) == ("segment", RUN["dataset"], RUN["run"])
    assert main == extra.get("main", main)
    assert driver_life(folder, "segment") == DriverLife(submission=submission)
    names = {name.rpartition(".")[2] for name in words if "secretKeyRef" in name}
    assert {name.partition("=")[0] for name in names} >= (set(CANARIES) if "secret" in extra else set())

    folder.write("report-segment", REPORT)
    assert Driver(folder, "segment", submission).drive(lambda: 0) == 0
    assert resumed(task, waiting)["stage"] == "segment"


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (64, PermanentError, REASON),
        (65, IntegrityError, REASON),
        (75, TransientError, REASON),
        (1, TransientError, "1"),
    ],
)
def test_the_exit_code_comes_by_the_run_folder(
    code: int, kind: type[EmsegError], told: str, connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills a report of an earlier try that is taken for the result of this one."""
    connections("yarn", **{"deploy-mode": "cluster"})
    submit("sys.exit(0)")
    folder, task = RunFolder(store, **RUN), operator()
    folder.write("report-segment", REPORT)
    waiting = deferred(task)
    folder.write("failure-segment", Failure(stage="segment", kind="x", message=REASON))
    Driver(folder, "segment", driver_life(folder, "segment").submission).drive(lambda: code)
    with refused(kind, told, RUN["run"]) as caught:
        resumed(task, waiting)
    assert type(caught.value) is kind


def test_a_driver_that_is_given_up_is_called_off_and_tried_again(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills two drivers: the one that was taken for dead may only have waited for room."""
    connections("yarn", **{"deploy-mode": "cluster"})
    submit("sys.exit(0)")
    folder, task = RunFolder(store, **RUN), operator()
    deferred(task)
    submission = driver_life(folder, "segment").submission
    event = {"submission": submission, "exit_code": None, "why": "its driver did not start"}
    with refused(TransientError, "did not start", RUN["run"]):
        task.execute_ended({"ti": TaskInstance(RUN)}, event)
    assert driver_life(folder, "segment").submission == ""


def test_somebody_who_stops_the_task_stops_the_driver(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills a driver that goes on for days after its run was marked as failed."""
    connections("yarn", **{"deploy-mode": "cluster"})
    submit("sys.exit(0)")
    waiting = deferred(operator())
    assert isinstance(waiting.trigger, DriverTrigger)
    asyncio.run(waiting.trigger.on_kill())
    assert driver_life(RunFolder(store, **RUN), "segment").submission == ""


def test_a_submission_that_fails_says_what_spark_submit_said_last(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    connections("yarn", **{"deploy-mode": "cluster"})
    submit("print('queue em is unknown'); sys.exit(64)")
    with refused(TransientError, "exit code 64", "queue em is unknown"):
        execute(operator())


def test_standalone_is_refused_before_anything_is_submitted(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    connections("spark://master:7077", **{"deploy-mode": "cluster"})
    record = submit("sys.exit(0)")
    with refused(PermanentError, "spark://master:7077", "client mode"):
        execute(operator())
    assert not record.exists()


def test_an_archive_of_other_code_is_refused(connections: Connections, submit: Submit, store: FolderStore) -> None:
    """Kills executors with yesterday's code under today's keys."""
    connections("spark://master:7077", archive="/srv/emseg-0.1.0-0123456789abcdef.zip")
    record = submit("sys.exit(0)")
    with refused(PermanentError, "/srv/emseg-0.1.0-0123456789abcdef.zip", "emseg archive"):
        execute(operator())
    assert not record.exists()


def test_the_job_gets_what_the_pinned_run_asks_for_its_stage(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills resources that are read from the dataset file of today, or from another stage."""
    connections("spark://master:7077")
    record, folder = submit("sys.exit(0)"), RunFolder(store, **RUN)
    spark = {"segment": JobResources(cores=4, python_memory_mb=9000), "stitch": JobResources(cores=7)}
    folder.write("spec", a_spec(Box((0, 0, 0), (64, 64, 64)), spark=spark, **RUN))
    folder.write("report-segment", REPORT)
    execute(operator())
    words = json.loads(record.read_text())["arguments"]
    given = {word for word in words if word.startswith("spark.executor")}
    assert given == {"spark.executor.cores=4", "spark.executor.memoryOverhead=9000m"}


def test_a_task_whose_dataset_has_another_job_waits_without_a_worker(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills two runs of one dataset at once, and a wait that takes a slot of the pool from other datasets."""
    record, task = submit("sys.exit(0)"), operator()
    RunFolder(store, **RUN).write("report-segment", REPORT)
    with one_run_at_a_time(store, RUN["dataset"], "from-a-shell"):
        waiting = deferred(task)
        assert isinstance(waiting.trigger, TurnTrigger)
        assert not record.exists()
    assert resumed(task, waiting)["stage"] == "segment"
    assert record.exists()


def test_a_task_that_waited_for_a_job_that_was_killed_goes_on(
    connections: Connections, submit: Submit, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills a task that looks anew after its trigger has fired, and so waits for ever."""
    monkeypatch.setattr(one_run, "TTL_S", 0.2)
    monkeypatch.setattr(triggers, "LOOK_S", 0.05)
    record, task = submit("sys.exit(0)"), operator()
    RunFolder(store, **RUN).write("report-segment", REPORT)
    one_run.job_lease(store, RUN["dataset"], "killed").take()
    waiting = deferred(task)
    assert resumed(task, waiting)["stage"] == "segment"
    assert record.exists()


def test_a_driver_that_found_another_run_is_no_failure(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills retries that are used up while a long job of another run goes on."""
    submit("sys.exit(75)")
    task, held = operator(), one_run_at_a_time(store, RUN["dataset"], "faster")
    looked = iter([True, False])
    task._is_our_turn = lambda _: next(looked)  # the other run came in between
    with held:
        assert isinstance(deferred(task).trigger, TurnTrigger)


def test_a_damaged_record_of_a_driver_ends_the_wait_and_a_retry_writes_it_anew(
    connections: Connections, submit: Submit, store: FolderStore
) -> None:
    """Kills a task that waits for ever: no driver can write over the record, and no watcher can read it."""
    connections("yarn", **{"deploy-mode": "cluster"})
    submit("sys.exit(0)")
    task, folder = operator(), RunFolder(store, **RUN)
    waiting, (key,) = deferred(task), [key for key in store.keys_under("demo") if "driver-segment" in key]
    store.put(key, b"?" + store.get(key)[1:])
    with refused(IntegrityError, "driver-segment"):
        resumed(task, waiting)
    again = deferred(operator())
    assert driver_life(folder, "segment").submission == again.trigger.more["submission"]


def test_what_a_watcher_concludes() -> None:
    """Worked by hand. Kills a driver in a queue that is taken for dead, and one that is waited for without end."""

    def life(beat: int, code: int | None = None, submission: str = "s") -> DriverLife:
        return DriverLife(submission=submission, beat=beat, exit_code=code)

    watch = Watch("s", start_s=3600, limit_s=None)
    assert watch.seen(life(0), 0) is None
    assert watch.seen(life(0), 3599) is None
    assert "did not start within 3600 s" in watch.seen(life(0), 3600)["why"]
    assert watch.seen(life(1), 3601) is None
    assert watch.seen(life(1), 3600 + SILENT_S) is None
    assert "has been silent" in watch.seen(life(1), 3601 + SILENT_S)["why"]
    assert watch.seen(life(2), 10_000) is None
    assert watch.seen(life(3, 0), 10_001) == {"submission": "s", "exit_code": 0, "why": ""}
    assert "taken over" in watch.seen(life(1, submission="t"), 10_002)["why"]
    limited = Watch("s", start_s=3600, limit_s=100)
    assert limited.seen(life(1), 0) is None
    assert limited.seen(life(2), 99) is None
    assert "longer than 100 s" in limited.seen(life(3), 100)["why"]


def test_a_store_that_does_not_answer_ends_no_wait(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, connections: Connections, submit: Submit
) -> None:
    """Kills a driver that is given up because S3 was restarted."""
    monkeypatch.setattr(triggers, "LOOK_S", 0.01)
    connections("yarn", **{"deploy-mode": "cluster"})
    submit("sys.exit(0)")
    task, real, calls = operator(), store.get, []
    waiting = deferred(task)
    folder = RunFolder(store, **RUN)
    folder.write("report-segment", REPORT)
    Driver(folder, "segment", driver_life(folder, "segment").submission).drive(lambda: 0)

    def flaky(key: str) -> bytes:
        calls.append(key)
        if len(calls) < 3:
            raise TransientError("reading", key, "HTTP 503", "Try again")
        return real(key)

    monkeypatch.setattr(store, "get", flaky)
    assert resumed(task, waiting)["stage"] == "segment"
    assert len(calls) >= 3
