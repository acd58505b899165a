"""The Spark operator with a `spark-submit` that writes down what it is given: where secrets go, what codes mean."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.airflow.submitting import (  # noqa: F401 (fixtures)
    CANARIES,
    MASTERS,
    REASON,
    REPORT,
    RUN,
    connections_fixture,
    execute,
    operator,
    store_fixture,
    submit_fixture,
)
from tests.refusals import refused

from emseg.engine.report import Failure, StageReport
from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError
from emseg.store import FolderStore
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import driver_environment as environments
from emseg_airflow import spark_submit
from emseg_airflow.driver_environment import driver_environment
from emseg_airflow.reference import PIN


@pytest.mark.parametrize("master", MASTERS)
def test_secrets_reach_the_driver_by_its_environment_and_are_nowhere_else(
    master: str,
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Kills `env_vars`: the hook turns them into `--conf` on YARN and Kubernetes, and Airflow shows them rendered."""
    connections(master)
    record = submit("sys.exit(0)")
    RunFolder(store, **RUN).write("report-segment", REPORT)
    task = operator()
    with caplog.at_level(logging.DEBUG):
        returned = execute(task)
    given = json.loads(record.read_text())
    assert {name: given["environment"][name] for name in CANARIES} == CANARIES
    rendered = {field: getattr(task, field) for field in task.template_fields}
    shown = json.dumps([given["arguments"], rendered, returned])
    output = capfd.readouterr()
    logged = caplog.text + output.out + output.err
    assert "Spark-Submit cmd" in logged
    assert "canary" not in shown + logged
    assert given["arguments"][:2] == ["--master", master]
    assert given["arguments"][-2:] == [RUN["dataset"], RUN["run"]]


def test_airflows_own_secrets_stay_with_airflow(
    connections: Callable[[str], None], submit: Callable[[str], Path], store: FolderStore
) -> None:
    """Kills handing the worker's whole environment on: keys of the metadata database and every other connection."""
    record = submit("sys.exit(0)")
    RunFolder(store, **RUN).write("report-segment", REPORT)
    execute(operator())
    environment = json.loads(record.read_text())["environment"]
    assert [name for name in environment if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_"))] == []
    assert "canary-fernet-key" not in environment.values()
    assert environment["EMSEG_DVID_URL"] == "http://dvid:8000"
    assert environment["EMSEG_S3_BUCKET"] == "neurons"


def test_the_job_runs_this_projects_main_in_client_mode_with_this_python(
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    connections("yarn")
    record = submit("sys.exit(0)")
    RunFolder(store, **RUN).write("report-segment", REPORT)
    execute(operator())
    given = json.loads(record.read_text())
    mode = given["arguments"].index("--deploy-mode")
    assert given["arguments"][mode + 1] == "client"
    main = Path(given["arguments"][-4])
    assert main == Path(__file__).resolve().parents[2] / "spark_jobs" / "run_stage.py"
    assert main.is_file()
    assert given["environment"]["PYSPARK_PYTHON"] == sys.executable


def test_a_job_that_ends_well_returns_its_report(
    connections: Callable[[str], None], submit: Callable[[str], Path], store: FolderStore
) -> None:
    submit("sys.exit(0)")
    RunFolder(store, **RUN).write("report-segment", REPORT)
    assert StageReport(**execute(operator())) == REPORT


@pytest.mark.parametrize(
    ("ending", "kind", "told"),
    [
        ("sys.exit(64)", PermanentError, REASON),
        ("sys.exit(65)", IntegrityError, REASON),
        ("sys.exit(75)", TransientError, REASON),
        ("sys.exit(1)", TransientError, "exit code 1"),
        ("sys.exit(137)", TransientError, "exit code 137"),
        ("os.kill(os.getpid(), 9)", TransientError, "exit code -9"),
    ],
)
def test_the_exit_code_decides_about_retries_and_the_run_folder_tells_why(
    ending: str,
    kind: type[EmsegError],
    told: str,
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
) -> None:
    """Kills one error for all codes, and a crash that is explained by what an earlier try left behind."""
    submit(ending)
    RunFolder(store, **RUN).write("failure-segment", Failure(stage="segment", kind="x", message=REASON))
    with refused(kind, told, RUN["dataset"], RUN["run"]) as caught:
        execute(operator())
    assert type(caught.value) is kind
    assert (REASON in str(caught.value)) is (told == REASON)


@pytest.mark.parametrize("code", [126, 127])
def test_a_program_that_is_missing_is_not_tried_again_and_the_last_line_says_which(
    code: int,
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
) -> None:
    """Kills four tries of a `spark-submit` that finds no Java, and an error that is only a number."""
    submit(f"print('spark-class: line 71: /nowhere/bin/java: No such file'); print(); sys.exit({code})")
    with refused(PermanentError, f"exit code {code}", "/nowhere/bin/java", RUN["run"]) as caught:
        execute(operator())
    assert not caught.value.retry_is_safe


def test_a_crash_shows_the_last_line_too(
    connections: Callable[[str], None], submit: Callable[[str], Path], store: FolderStore
) -> None:
    submit("print('JAVA_HOME is not set'); sys.exit(1)")
    with refused(TransientError, "exit code 1", "JAVA_HOME is not set"):
        execute(operator())


def test_without_spark_submit_on_the_path_nothing_is_tried_again(
    connections: Callable[[str], None], store: FolderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Kills a FileNotFoundError, which Airflow would retry."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with refused(PermanentError, "spark-submit", RUN["run"]):
        execute(operator())


def test_the_workers_own_shell_does_not_choose_python_spark_or_services(
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kills a driver that starts a notebook or another Spark, or that signs with another account's session token."""
    others = {
        "PYSPARK_DRIVER_PYTHON": "jupyter",
        "PYSPARK_DRIVER_PYTHON_OPTS": "notebook",
        "SPARK_HOME": "/opt/spark-2",
        "AWS_SESSION_TOKEN": "of-another-account",
        "EMSEG_S3_PREFIX": "of-another-deployment",
    }
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    record = submit("sys.exit(0)")
    RunFolder(store, **RUN).write("report-segment", REPORT)
    execute(operator())
    environment = json.loads(record.read_text())["environment"]
    assert environment["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert (Path(environment["SPARK_HOME"]) / "bin" / "spark-class").is_file()
    assert environment["EMSEG_S3_PREFIX"] == "emseg"
    assert {"PYSPARK_DRIVER_PYTHON_OPTS", "AWS_SESSION_TOKEN"} & environment.keys() == set()


def test_the_role_of_a_worker_stays_where_the_connection_has_no_keys(
    connections: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills a deployment whose pods get temporary keys by their environment."""
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_S3", json.dumps({"conn_type": "aws", "extra": {"bucket": "neurons"}}))
    role = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}
    for name, value in {**role, "EMSEG_S3_ENDPOINT": "http://elsewhere"}.items():
        monkeypatch.setenv(name, value)
    given = driver_environment()
    assert given.items() >= role.items()
    assert "EMSEG_S3_ENDPOINT" not in given


def test_a_spark_of_the_same_version_is_used_as_the_deployment_says(
    connections: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Kills a deployment's `spark-defaults.conf` that is no longer read."""
    (tmp_path / "jars").mkdir()
    for jar in (environments._SPARK_OF_THIS_PYTHON / "jars").glob("spark-core_*.jar"):
        (tmp_path / "jars" / jar.name).touch()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert driver_environment()["SPARK_HOME"] == str(tmp_path)


def test_for_a_user_without_a_home_spark_is_told_a_folder(
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kills `basedir must be absolute: ?/.ivy2`, at which spark-submit ends under a random uid of OpenShift."""
    monkeypatch.setattr(spark_submit, "has_name", lambda: False)
    record = submit("sys.exit(0)")
    RunFolder(store, **RUN).write("report-segment", REPORT)
    execute(operator())
    (ivy,) = [word for word in json.loads(record.read_text())["arguments"] if word.startswith("spark.jars.ivy=")]
    assert Path(ivy.partition("=")[2]).is_absolute()


def test_a_reason_that_is_missing_does_not_hide_the_failure(
    connections: Callable[[str], None], submit: Callable[[str], Path], store: FolderStore
) -> None:
    submit("sys.exit(64)")
    with refused(PermanentError, RUN["run"], "failure-segment.json") as caught:
        execute(operator())
    assert type(caught.value) is PermanentError, "the job's error, not that of the missing object"


@pytest.mark.parametrize(
    ("returned", "fault"),
    [
        (None, "document = None"),
        ({"dataset": "demo"}, "run = {'dataset': 'demo'}"),
        ({"dataset": "demo", "run": "--conf"}, "run = '--conf'"),
        ({"dataset": "demo", "run": "a b"}, "run = 'a b'"),
        ({"dataset": "../demo", "run": "r"}, "dataset = '../demo'"),
        ({"dataset": "demo", "run": "{{ conn.emseg_s3.password }}"}, "run = '{{ conn.emseg_s3.password }}'"),
        ({"dataset": "demo", "run": "r", "more": "x"}, "more = 'x'"),
    ],
    ids=str,
)
def test_nothing_but_ids_becomes_an_argument(
    returned: Any,
    fault: str,
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    store: FolderStore,
) -> None:
    record = submit("sys.exit(0)")
    with refused(PermanentError, PIN, fault):
        execute(operator(), returned)
    assert not record.exists()


def test_without_its_spark_connection_nothing_is_submitted(
    connections: Callable[[str], None],
    submit: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kills the hook's own way out: it would submit to YARN."""
    monkeypatch.delenv("AIRFLOW_CONN_EMSEG_SPARK")
    record = submit("sys.exit(0)")
    with refused(PermanentError, "AIRFLOW_CONN_EMSEG_SPARK"):
        execute(operator())
    assert not record.exists()


def test_killing_the_task_ends_the_job(
    connections: Callable[[str], None], submit: Callable[[str], Path], store: FolderStore
) -> None:
    record = submit("time.sleep(60)")
    task = operator()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            execute(task)
        except EmsegError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not record.exists() or not record.read_text():
        time.sleep(0.05)
    task.on_kill()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert f"exit code {-signal.SIGKILL}" in str(errors[0])


def test_killing_a_task_that_submitted_nothing_does_nothing(submit: Callable[[str], Path]) -> None:
    """Kills building a hook, which asks Airflow for connections, inside a signal handler."""
    operator().on_kill()
