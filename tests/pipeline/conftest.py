"""Runs of the real DAG, watched from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import requests
from tests.running import PUBLISHED_RUNS

from emseg.devstack import DevStack
from emseg.devstack.airflow import AirflowService
from emseg.dvid import DvidServer
from emseg.phases.services import DvidServices
from emseg.store import S3Store
from emseg.tasks.run_folder import RunFolder, run_name

DAG_ID = "segment_volume"
RUN_TIMEOUT_S = 420.0

COMMANDS: set[str] = set()
"""Command lines of all processes that were seen while runs were going on: /proc shows them to every user."""


def _commands() -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        yield " ".join(process.info["cmdline"] or ())


@pytest.fixture(scope="session")
def services(devstack: DevStack, server: DvidServer) -> DvidServices:
    return DvidServices(S3Store.open(devstack.s3), server)


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
    """A run of dataset `demo` that passed its gate: that of `tests/airflow/test_ui.py` where it was made before."""
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
