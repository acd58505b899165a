"""The operator on a real Spark standalone cluster: one master and two workers on loopback, named by the connection.

The Python of the workers has no emseg: the library reaches them as the archive that the Connection names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
import pyspark
import pytest
import requests
from airflow.sdk import DAG
from tests.airflow.bare_python import bare_python

from emseg.config import RunParameters
from emseg.config.resources import JobResources
from emseg.devstack import DevStack
from emseg.devstack.airflow_settings import airflow_connections
from emseg.devstack.processes import free_port
from emseg.engine.items import InProcess
from emseg.engine.report import StageReport
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import FolderStore, S3Store, SlotBoard
from emseg.tasks.archive import write_archive
from emseg.tasks.jobs import run_stage
from emseg.tasks.pin import pin_run
from emseg.tasks.run_folder import RunFolder
from emseg_airflow.spark_submit import EmsegSparkSubmitOperator

pytestmark = [pytest.mark.services, pytest.mark.spark]

LIMIT = 3
SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
READY_S = 120.0


@dataclass(frozen=True)
class Cluster:
    master: str
    page: str

    def state(self) -> dict:
        return requests.get(f"{self.page}/json/", timeout=10).json()


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of the workers, which cannot import emseg."""
    program = bare_python(tmp_path / "bare")
    assert subprocess.run([program, "-c", "import numpy, numba"], check=False, cwd=tmp_path).returncode == 0
    tried = subprocess.run([program, "-c", "import emseg"], capture_output=True, check=False, cwd=tmp_path)
    assert b"No module named 'emseg'" in tried.stderr
    return program


@pytest.fixture
def cluster(devstack: DevStack, tmp_path: Path, python: Path) -> Iterator[Cluster]:
    """Two workers of one core; executors inherit the services' addresses and keys from their worker's environment."""
    port, web = free_port(None), free_port(None)
    found = Cluster(f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{web}")
    environment = {
        **os.environ,
        **devstack.environment(),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
        "PYSPARK_PYTHON": str(python),
    }
    deploy = "org.apache.spark.deploy"
    master = [f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(web)]
    worker = [f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "2g", found.master]
    started = [
        subprocess.Popen(
            [SPARK_CLASS, *words], env=environment, start_new_session=True, stdout=log, stderr=log, cwd=tmp_path
        )
        for words, log in ((w, (tmp_path / f"{i}.log").open("wb")) for i, w in enumerate((master, worker, worker)))
    ]
    try:
        _wait_for_workers(found)
        yield found
    finally:
        for process in started:
            for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                child.kill()
            process.wait()


def _wait_for_workers(cluster: Cluster) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if cluster.state()["aliveworkers"] == 2:
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise AssertionError(f"no two workers after {READY_S} s")


@pytest.fixture
def connections(
    devstack: DevStack, cluster: Cluster, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections of a deployment whose Spark is the cluster; nothing else tells the operator where to run.

    DVID has a limit of requests, of which the workers' own environment knows nothing.
    """
    made = airflow_connections(devstack, cluster.master)
    dvid = json.loads(made["AIRFLOW_CONN_EMSEG_DVID"]) | {"extra": {"max_requests": LIMIT}}
    for name, value in (made | {"AIRFLOW_CONN_EMSEG_DVID": json.dumps(dvid)}).items():
        monkeypatch.setenv(name, value)
    spark = {"conn_type": "spark", "host": cluster.master, "extra": {"archive": str(write_archive(tmp_path))}}
    monkeypatch.setenv("AIRFLOW_CONN_EMSEG_SPARK", json.dumps(spark))
    monkeypatch.setenv("PYSPARK_PYTHON", str(python))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")


class TaskInstance:
    """What a task sees of Airflow: the return value of `pin`."""

    stats_tags: ClassVar[dict[str, str]] = {}

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def xcom_pull(self, task_ids: str) -> dict[str, str]:
        assert task_ids == "pin"
        return {"dataset": self._run.dataset, "run": self._run.run}


def test_both_jobs_run_on_a_cluster_named_by_the_connection_and_leave_the_bytes_of_one_process(
    connections, volume, dataset_files: Path, server, devstack: DevStack, cluster: Cluster, tmp_path: Path
):
    """Kills jobs that need the driver's environment or a checkout on the executors, results that depend on how many
    there are, and secrets in what the master shows."""
    services = DvidServices(S3Store.open(devstack.s3), server)
    spec = pin_run(RunParameters(dataset="cluster"), "on-a-cluster", dataset_files, server)
    asked_for = JobResources(executors=2, cores=1, memory_mb=1100)
    spec = spec.model_copy(update={"spark": dict.fromkeys(("segment", "stitch"), asked_for)})
    run = RunFolder(services.store, spec.dataset, spec.run)
    run.write("spec", spec)
    for stage in ("segment", "stitch"):
        with DAG("cluster", schedule=None):
            task = EmsegSparkSubmitOperator(task_id=stage, stage=stage)
        task.execute({"ti": TaskInstance(run)})

    shown = cluster.state()
    assert sorted(app["name"].split()[1] for app in shown["completedapps"]) == ["segment", "stitch"]
    executors = {folder.name for folder in (tmp_path / "work").glob("app-*/*")}
    assert executors == {"0", "1"}, "both workers must have run an executor"
    assert devstack.s3_secret_key not in str(shown)
    never_used = list(SlotBoard(services.store, server.url, LIMIT).look().free.values()).count(None)
    assert never_used < LIMIT
    asked = [(app["cores"], app["memoryperexecutor"]) for app in shown["completedapps"]]
    assert set(asked) == {(2, 1100)}, "what the dataset file asks for"

    alone = DvidServices(FolderStore(tmp_path / "alone"), server)
    in_process = RunContext(spec, "alone", lambda: alone)
    for stage in ("segment", "stitch"):
        expected = [phase.content_digest for phase in run_stage(stage, in_process, InProcess()).report.phases]
        found = run.read(f"report-{stage}", StageReport).phases
        assert [phase.content_digest for phase in found] == expected
        assert sum(phase.items_reused for phase in found) == 0
