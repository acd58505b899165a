"""The report of a run in Airflow's web server: who gets it, and what the browser may do with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.api_fastapi.core_api import security
from fastapi.testclient import TestClient
from tests.memory_store import MemoryStore

from emseg.errors import TransientError
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import report_app
from emseg_airflow.pages import report_address
from emseg_airflow.report_app import app

PAGE = b"<!doctype html><title>demo: failed</title><script>x</script>"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    found = MemoryStore()
    RunFolder(found, "demo", "run-1").write_file("report.html", PAGE, "text/html")
    monkeypatch.setattr(report_app, "object_store", lambda probe: found)  # noqa: ARG005
    return found


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, store: MemoryStore) -> TestClient:
    """Airflow's own check of who asks, with a login manager that knows two cookies."""

    async def user(token: str) -> str:
        return token

    def may(method: str, user: str, **_: Any) -> bool:
        return (method, user) == ("GET", "viewer")

    manager = SimpleNamespace(get_user_from_token=user, is_authorized_dag=may)
    monkeypatch.setattr(security, "get_auth_manager", lambda: manager)
    return TestClient(app, follow_redirects=False)


def test_who_is_logged_in_gets_the_page_and_nothing_in_it_runs(client: TestClient) -> None:
    """Kills a report whose texts come from servers and files, and that runs as a page of Airflow with its cookies."""
    client.cookies.set("_token", "viewer")
    answer = client.get("/demo/run-1")
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert not any(word in policy for word in ("allow-scripts", "allow-same-origin", "script-src"))
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_who_is_not_logged_in_is_sent_to_the_login_and_back(client: TestClient) -> None:
    """Kills a plugin page that answers everybody, which is what Airflow does with one by itself."""
    answer = client.get("/demo/run-1")
    assert answer.status_code == 307
    assert answer.headers["location"] == (
        "http://localhost:8080/api/v2/auth/login?next=http%3A%2F%2Flocalhost%3A8080%2Femseg%2Freport%2Fdemo%2Frun-1"
    )
    assert PAGE not in answer.content
    assert report_address("demo", "run-1") == "http://localhost:8080/emseg/report/demo/run-1"


def test_who_may_not_see_dags_sees_no_report(client: TestClient) -> None:
    client.cookies.set("_token", "stranger")
    answer = client.get("/demo/run-1")
    assert answer.status_code == 403
    assert PAGE not in answer.content


@pytest.mark.parametrize("path", ["/demo/run-2", "/other/run-1"])
def test_a_run_without_a_report_is_said_to_have_none(path: str, client: TestClient) -> None:
    client.cookies.set("_token", "viewer")
    answer = client.get(path)
    assert (answer.status_code, "gate" in answer.text) == (404, True)


@pytest.mark.parametrize("path", ["/demo/..%2f..%2fkeys", "/Demo/run-1", "/demo/.hidden", "/demo", "/demo/run-1/x"])
def test_no_other_object_of_the_store_can_be_named(path: str, client: TestClient, store: MemoryStore) -> None:
    store.put("keys", b"other")
    client.cookies.set("_token", "viewer")
    assert client.get(path).status_code in {404, 422}


def test_a_store_that_is_down_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(probe: bool) -> None:
        raise TransientError("opening the store", "neurons", "no answer", "Later")

    monkeypatch.setattr(report_app, "object_store", down)
    client.cookies.set("_token", "viewer")
    answer = client.get("/demo/run-1")
    assert (answer.status_code, "neurons" in answer.text) == (503, True)
