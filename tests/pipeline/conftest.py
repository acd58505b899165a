"""Runs of the real DAG, watched from outside."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from tests.conftest import NEEDS_AIRFLOW, PROJECT, TestVolume
from tests.planted import WEBHOOK_KEY, with_secrets

from emseg.devstack import DevStack
from emseg.devstack import airflow as airflow_service
from emseg.devstack.airflow import AirflowService, airflow_down, airflow_up
from emseg.dvid import DvidServer
from emseg.phases.services import DvidServices
from emseg.store import S3Store
from emseg.tasks.run_folder import RunFolder, run_name

DAG_ID = "segment_volume"
RUN_TIMEOUT_S = 420.0

COMMANDS: set[str] = set()
"""Command lines of all processes that were seen while runs were going on: /proc shows them to every user."""

PUBLISHED_RUNS: list[str] = []
"""Ids of runs of dataset `demo` in this process that were published: later tests need no run of their own."""

FILES_STAY = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"}
"""No test changes a file of Airflow's while it runs, so each is parsed once."""

_WHILE_NEEDED = ExitStack()
"""What is undone when no more test needs Airflow."""


def _commands() -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        yield " ".join(process.info["cmdline"] or ())


@pytest.fixture(scope="session")
def services(devstack: DevStack, server: DvidServer) -> DvidServices:
    return DvidServices(S3Store.open(devstack.s3), server)


@pytest.fixture(scope="session")
def alerts() -> Iterator[list[dict[str, Any]]]:
    """What a real webhook receiver on this computer was sent; its address is in EMSEG_TEST_WEBHOOK."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    os.environ["EMSEG_TEST_WEBHOOK"] = f"http://127.0.0.1:{web.server_address[1]}/hook"
    yield received
    web.shutdown()


@pytest.fixture(scope="session")
def airflow(devstack: DevStack, volume: TestVolume, dataset_files: Path, alerts: object) -> Iterator[AirflowService]:
    """A real Airflow with the project's DAGs, the dataset files of the tests and a webhook; retries after 1 s.

    Its Connections hold planted secrets: `tests/pipeline/test_secrets.py` looks for them in all that the runs leave.
    """
    with _WHILE_NEEDED as started:
        environment = started.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("EMSEG_DATASETS", str(dataset_files))
        environment.setenv("EMSEG_RETRY_DELAY_S", "1")
        environment.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
        hook = {"conn_type": "http", "password": f"{os.environ['EMSEG_TEST_WEBHOOK']}?key={WEBHOOK_KEY}"}
        environment.setenv("AIRFLOW_CONN_EMSEG_WEBHOOK", json.dumps(hook))
        connections, settings = airflow_service.airflow_connections, airflow_service.airflow_settings
        environment.setattr(airflow_service, "airflow_connections", lambda *given: with_secrets(connections(*given)))
        environment.setattr(airflow_service, "airflow_settings", lambda *given: settings(*given) | FILES_STAY)
        started.callback(airflow_down, devstack.root)
        service = airflow_up(devstack, PROJECT)
        service.api.unpause("segment_volume")
        yield service


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Airflow works even where nothing runs, so it is stopped after the last test that needs it."""
    if nextitem is None or not nextitem.nodeid.startswith(NEEDS_AIRFLOW):
        _WHILE_NEEDED.close()


@dataclass(frozen=True)
class DagRun:
    """A triggered run."""

    airflow: AirflowService
    run_id: str
    folder: RunFolder

    def ended(self, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Wait for the end; returns the state and calls `meanwhile` on the way."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while (state := self.airflow.api.run_state(DAG_ID, self.run_id)) not in {"success", "failed"}:
            assert time.monotonic() < deadline, f"{self.run_id} is still {state}: {self.tasks()}"
            meanwhile()
            COMMANDS.update(_commands())
            time.sleep(0.3)
        return state

    def tasks(self) -> dict[str, str | None]:
        return {task.task_id: task.state for task in self.airflow.api.task_states(DAG_ID, self.run_id)}

    def tries(self) -> dict[str, int]:
        return {task.task_id: task.try_number for task in self.airflow.api.task_states(DAG_ID, self.run_id)}

    def log(self, task_id: str) -> str:
        (task,) = (t for t in self.airflow.api.task_states(DAG_ID, self.run_id) if t.task_id == task_id)
        return self.airflow.api.task_log(DAG_ID, self.run_id, task)


@pytest.fixture(scope="session")
def trigger(airflow: AirflowService, services: DvidServices) -> Callable[[Mapping[str, Any]], DagRun]:
    def start(conf: Mapping[str, Any]) -> DagRun:
        run_id = airflow.api.trigger(DAG_ID, conf)
        return DagRun(airflow, run_id, RunFolder(services.store, str(conf["dataset"]), run_name(run_id)))

    return start


@pytest.fixture(scope="session")
def published(
    airflow: AirflowService, services: DvidServices, trigger: Callable[[Mapping[str, Any]], DagRun], volume: object
) -> DagRun:
    """A run of dataset `demo` that passed its gate: that of `test_browser.py` where it was made before."""
    if PUBLISHED_RUNS:
        (run_id,) = PUBLISHED_RUNS
        return DagRun(airflow, run_id, RunFolder(services.store, "demo", run_name(run_id)))
    run = trigger({"dataset": "demo", "stitch": "medium"})
    assert run.ended() == "success", run.tasks()
    return run


def report_of(airflow: AirflowService, address: str) -> requests.Response:
    """What a person who is logged in gets at an address."""
    login = {"username": airflow.username, "password": airflow.password}
    token = requests.post(f"{airflow.url}/auth/token", json=login, timeout=30).json()["access_token"]
    return requests.get(address, cookies={"_token": token}, timeout=30)
