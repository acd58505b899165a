"""The REST client against a small server that records what it is asked: paths, login, error classes.

The answers are shaped as Airflow 3 gives them; the same client meets the real Airflow in the integration tests.
"""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from tests.refusals import refused

from emseg.devstack.airflow_api import AirflowApi, TaskState
from emseg.errors import PermanentError, TransientError


class Recorder(ThreadingHTTPServer):
    """Answers each (method, path) from `answers`, 404 otherwise; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {("POST", "/auth/token"): (201, {"access_token": "t"})}
        self.asked: list[tuple[str, str, Any, str | None]] = []


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(body) if body else None
        self.server.asked.append((self.command, self.path, asked, self.headers.get("Authorization")))
        status, value = self.server.answers.get((self.command, self.path), (404, {"detail": "not here"}))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    do_GET = do_POST = do_PATCH = answer  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Keep the test output quiet."""


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as recorder:
        Thread(target=recorder.serve_forever, daemon=True).start()
        yield recorder
        recorder.shutdown()


@pytest.fixture
def api(server: Recorder) -> AirflowApi:
    return AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "password")


@pytest.mark.usefixtures("foreign_shell")
def test_the_token_is_sent_whatever_is_in_the_shell(server: Recorder, api: AirflowApi) -> None:
    """Kills a proxy before this computer, and `requests`, which puts a password of .netrc in the token's place."""
    server.answers["GET", "/api/v2/dags"] = (200, {"dags": []})
    assert api.dag_ids() == ()
    assert server.asked[-1][3] == "Bearer t"


def test_trigger_logs_in_once_and_sends_no_logical_date(server: Recorder, api: AirflowApi) -> None:
    """Kills: a login a call; a logical date, with which a second run of the same moment is refused."""
    server.answers["POST", "/api/v2/dags/em/dagRuns"] = (200, {"dag_run_id": "manual__1"})
    assert [api.trigger("em", {"n": 1}) for _ in range(2)] == ["manual__1"] * 2
    call = ("POST", "/api/v2/dags/em/dagRuns", {"logical_date": None, "conf": {"n": 1}}, "Bearer t")
    login = ("POST", "/auth/token", {"username": "admin", "password": "password"}, None)
    assert server.asked == [login, call, call]


def test_run_ids_with_plus_and_colon_reach_the_server(server: Recorder, api: AirflowApi) -> None:
    """Kills: unquoted ids: `+00:00` at the end of a run id would arrive as a blank."""
    server.answers["GET", "/api/v2/dags/em/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00"] = (
        200,
        {"state": "success"},
    )
    assert api.run_state("em", "manual__2026-01-01T00:00:00+00:00") == "success"


def test_log_text_has_structured_and_plain_lines(server: Recorder, api: AirflowApi) -> None:
    """Kills: reading another try or map index than asked; failing on a log that Airflow could not parse."""
    task = TaskState(task_id="a", map_index=3, try_number=2, state="failed")
    path = "/api/v2/dags/em/dagRuns/r/taskInstances/a/logs/2?full_content=true&map_index=3"
    server.answers["GET", path] = (200, {"content": [{"event": "one", "level": "info"}, "two"]})
    assert api.task_log("em", "r", task) == "one\ntwo"


def test_pool_is_changed_where_there_is_one(server: Recorder, api: AirflowApi) -> None:
    """Kills: an `up` that fails the second time because the pool exists."""
    server.answers["GET", "/api/v2/pools"] = (200, {"pools": [{"name": "old"}]})
    server.answers["PATCH", "/api/v2/pools/old"] = server.answers["POST", "/api/v2/pools"] = (200, {})
    api.ensure_pool("old", 2, "d")
    api.ensure_pool("new", 1, "d")
    made = [(method, body["slots"]) for method, path, body, _ in server.asked if "pools" in path and body]
    assert made == [("PATCH", 2), ("POST", 1)]


@pytest.mark.parametrize(
    ("scheduler", "healthy"),
    [({"status": "healthy"}, True), ({"status": "unhealthy"}, False), ({"status": None}, False)],
)
def test_health_needs_every_component(
    server: Recorder, api: AirflowApi, scheduler: dict[str, str | None], healthy: bool
) -> None:
    """Kills: taking a component that never reported for a healthy one."""
    parts = {"metadatabase": {"status": "healthy"}, "scheduler": scheduler}
    server.answers["GET", "/api/v2/monitor/health"] = (200, parts)
    assert api.is_healthy() is healthy


def test_error_class_tells_who_may_try_again(server: Recorder, api: AirflowApi) -> None:
    """Kills: retrying a refused request, or giving up on a server that is only busy; secrets in the message."""
    with refused(PermanentError, api.url, "em/dagRuns/r", 404) as unknown:
        api.run_state("em", "r")
    server.answers["GET", "/api/v2/dags/em/dagRuns/r"] = (503, {})
    with refused(TransientError, 503):
        api.run_state("em", "r")
    assert "password" not in str(unknown.value)
    server.shutdown()
    server.server_close()
    with pytest.raises(TransientError):
        AirflowApi(api.url, "admin", "password").dag_ids()
