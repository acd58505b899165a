"""What tests of the Spark operator share: a `spark-submit` that writes down what it is given, Connections, a store."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from tests.running import a_spec

from emseg.engine.report import PhaseSummary, StageReport
from emseg.geometry import Box
from emseg.store import FolderStore
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import spark_submit, triggers
from emseg_airflow.spark_submit import EmsegSparkSubmitOperator

CANARIES = {
    "EMSEG_DVID_TOKEN": "canary-dvid-token",
    "AWS_ACCESS_KEY_ID": "canary-access-key",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-key",
}
MASTERS = ["local[2]", "spark://master:7077", "yarn", "k8s://https://kubernetes:6443"]
PHASE = PhaseSummary(phase="segment", key="k" * 32, seconds=1.5, items_done=7, items_reused=1, content_digest="c")
REPORT = StageReport(stage="segment", phases=(PHASE,))
RUN = {"dataset": "demo", "run": "manual-2026-1a2b3c4d"}
REASON = "no such preset"

SUBMIT = """#!{python}
import json, os, sys, time
json.dump({{"arguments": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}}, open({record!r}, "w"))
print("a line of output")
sys.stdout.flush()
{then}
"""


class TaskInstance:
    """What a task sees of Airflow: the return value of `pin`."""

    def __init__(self, returned: Any) -> None:
        self.returned = returned
        self.stats_tags: dict[str, str] = {}

    def xcom_pull(self, task_ids: str) -> Any:
        return self.returned if task_ids == "pin" else None


@pytest.fixture(name="store")
def store_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    for module in (spark_submit, triggers):
        monkeypatch.setattr(module, "object_store", lambda **_: store)
    RunFolder(store, **RUN).write("spec", a_spec(Box((0, 0, 0), (64, 64, 64)), **RUN))
    return store


@pytest.fixture(name="connections")
def connections_fixture(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    dvid = {"conn_type": "http", "host": "http://dvid:8000", "password": CANARIES["EMSEG_DVID_TOKEN"]}
    s3 = {
        "conn_type": "aws",
        "login": CANARIES["AWS_ACCESS_KEY_ID"],
        "password": CANARIES["AWS_SECRET_ACCESS_KEY"],
        "extra": {"bucket": "neurons", "endpoint_url": "http://s3:9000"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_DVID", json.dumps(dvid))
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_S3", json.dumps(s3))
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "canary-fernet-key")

    def use(master: str, **extra: Any) -> None:
        connection = {"conn_type": "spark", "host": master, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EMSEG_SPARK", json.dumps(connection))

    use("local[2]")
    return use


@pytest.fixture(name="submit")
def submit_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `spark-submit` first on PATH that ends as told; returns where it writes what it was given."""

    def put(then: str) -> Path:
        record = tmp_path / "record.json"
        program = tmp_path / "bin" / "spark-submit"
        program.parent.mkdir()
        program.write_text(SUBMIT.format(python=sys.executable, record=str(record), then=then))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return record

    return put


def operator() -> EmsegSparkSubmitOperator:
    with DAG("d", schedule=None):
        return EmsegSparkSubmitOperator(task_id="segment", stage="segment")


def execute(task: EmsegSparkSubmitOperator, returned: Any = RUN) -> Any:
    return task.execute({"ti": TaskInstance(returned)})
