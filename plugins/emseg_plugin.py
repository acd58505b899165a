"""emseg's plugin of Airflow: its web server also serves the report of each run, to people who are logged in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from emseg_airflow.pages import REPORTS

Message = MutableMapping[str, Any]


async def reports(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """The application of the reports, imported by the first request: every process of Airflow loads this plugin."""
    from emseg_airflow.report_app import app

    await app(scope, receive, send)


class EmsegPlugin(AirflowPlugin):
    """Read by Airflow's web server when it starts."""

    name = "emseg"
    fastapi_apps = [{"app": reports, "url_prefix": REPORTS, "name": "emseg reports"}]  # noqa: RUF012 - as Airflow has it
