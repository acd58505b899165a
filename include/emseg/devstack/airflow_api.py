"""Airflow's REST API (v2), as far as a demo and the tests need it: trigger a DAG, watch its tasks, read logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests
from pydantic import BaseModel, ConfigDict

from emseg.errors import PermanentError, TransientError

_TIMEOUT_S = 60.0
_REMEDY = "Look at the web page of this Airflow and at its logs (emseg devstack status)"


class TaskState(BaseModel):
    """One task instance of a run; `map_index` is -1 for a task that is not mapped, `state` None before it is queued."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    map_index: int
    try_number: int
    state: str | None


class ImportProblem(BaseModel):
    """A DAG file that Airflow could not import, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    filename: str
    stack_trace: str


class AirflowApi:
    """Client of one Airflow for one user; logs in when first needed, and again when the token is refused.

    Every call raises TransientError when the server cannot be reached or answers 5xx, and PermanentError on 4xx.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": username, "password": password}
        self._session = requests.Session()
        # The caller's proxies are not for this computer, and a password of .netrc would take the place of the token.
        self._session.trust_env = False

    def is_healthy(self) -> bool:
        """Whether database, scheduler, triggerer and DAG processor all report that they are well (no login needed)."""
        parts = self._call("GET", "/api/v2/monitor/health")
        return all(part is not None and part["status"] == "healthy" for part in parts.values())

    def dag_ids(self) -> tuple[str, ...]:
        """Ids of the DAGs that Airflow has read so far."""
        return tuple(dag["dag_id"] for dag in self._authorised("GET", "/api/v2/dags")["dags"])

    def import_problems(self) -> tuple[ImportProblem, ...]:
        """DAG files that could not be imported."""
        answer = self._authorised("GET", "/api/v2/importErrors")
        return tuple(ImportProblem.model_validate(problem) for problem in answer["import_errors"])

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool of `slots` slots, or give it that many."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        names = [pool["name"] for pool in self._authorised("GET", "/api/v2/pools")["pools"]]
        if name in names:
            body = {"pool": name, **{field: body[field] for field in ("slots", "description", "include_deferred")}}
            self._authorised("PATCH", f"/api/v2/pools/{_part(name)}", body)
        else:
            self._authorised("POST", "/api/v2/pools", body)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run this DAG."""
        self._authorised("PATCH", f"/api/v2/dags/{_part(dag_id)}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run with these parameters; returns its run id. Repeating the call starts another run."""
        body = {"logical_date": None, "conf": dict(conf)}
        return str(self._authorised("POST", f"/api/v2/dags/{_part(dag_id)}/dagRuns", body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self._authorised("GET", _run(dag_id, run_id))["state"])

    def task_states(self, dag_id: str, run_id: str) -> tuple[TaskState, ...]:
        """All task instances of a run, in the order the server gives."""
        answer = self._authorised("GET", f"{_run(dag_id, run_id)}/taskInstances?limit=100")
        return tuple(TaskState.model_validate(task) for task in answer["task_instances"])

    def clear(self, dag_id: str, run_id: str, task_ids: tuple[str, ...]) -> None:
        """Let tasks of a run, and all that come after them, run again."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": list(task_ids), "include_downstream": True}
        self._authorised("POST", f"/api/v2/dags/{_part(dag_id)}/clearTaskInstances", {**body, "only_failed": False})

    def task_log(self, dag_id: str, run_id: str, task: TaskState) -> str:
        """Log of the last try of a task so far, a line an event."""
        where = f"{_run(dag_id, run_id)}/taskInstances/{_part(task.task_id)}/logs/{task.try_number}"
        answer = self._authorised("GET", f"{where}?full_content=true&map_index={task.map_index}")
        return "\n".join(line if isinstance(line, str) else str(line["event"]) for line in answer["content"])

    def _authorised(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if "Authorization" not in self._session.headers:
            token = self._call("POST", "/auth/token", self._login)["access_token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
        return self._call(method, path, body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        doing, on = f"asking Airflow to {method} {path}", self.url
        try:
            answer = self._session.request(
                method, self.url + path, json=body, headers={"Accept": "application/json"}, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise TransientError(doing, on, type(error).__name__, _REMEDY) from error
        if answer.ok:
            return answer.json() if answer.content else {}
        kind = TransientError if answer.status_code >= 500 else PermanentError
        raise kind(doing, on, f"HTTP {answer.status_code}: {answer.text[:500]}", _REMEDY)


def _part(name: str) -> str:
    return quote(name, safe="")


def _run(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}"
