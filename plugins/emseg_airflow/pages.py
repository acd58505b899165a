"""Addresses of pages in Airflow's web server, for people: a run, the report of a run, the login.

They begin with the setting `[api] base_url`, which must be how browsers reach Airflow.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from airflow.sdk.configuration import conf

REPORTS = "/emseg/report"
"""Where the plugin serves reports (`emseg_airflow/report_app.py`)."""


def report_address(dataset: str, run: str) -> str:
    """The report page of a run; who opens it must be logged in to Airflow."""
    return f"{_base()}{REPORTS}/{quote(dataset)}/{quote(run)}"


def run_address(dag_id: str, run_id: str) -> str:
    """The page of a DAG run in Airflow."""
    return f"{_base()}/dags/{quote(dag_id)}/runs/{quote(run_id)}"


def question_address(dag_id: str, run_id: str, task_id: str) -> str:
    """The page where a person answers a task that asks."""
    return f"{run_address(dag_id, run_id)}/tasks/{quote(task_id)}/required_actions"


def login_address(then: str) -> str:
    """The login of Airflow, which goes on to the page `then`."""
    return f"{_base()}/api/v2/auth/login?{urlencode({'next': then})}"


def _base() -> str:
    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
