"""Alerts of real runs: what only a real Airflow can show."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from tests.pipeline.conftest import report_of

from emseg.alerts import Receipts
from emseg.phases.services import DvidServices

pytestmark = [pytest.mark.services, pytest.mark.airflow]


def test_a_run_that_is_late_is_told_of_once_and_goes_on(
    trigger: Any, alerts: list[dict[str, Any]], services: DvidServices
) -> None:
    """Kills a deadline that Airflow cannot store or its triggerer cannot call. The dataset is late after 1.8 s."""
    run = trigger({"dataset": "late", "dry_run": True})
    assert run.ended() == "success", run.tasks()
    ends = time.monotonic() + 60
    while not (told := [each["alert"] for each in alerts if each["alert"]["run"] == run.folder.run]):
        assert time.monotonic() < ends, "nobody was told"
        time.sleep(0.5)
    (alert,) = told
    assert (alert["kind"], alert["severity"], alert["dataset"]) == ("late", "warning", "late")
    (receipt,) = Receipts(services.store, "late", run.folder.run).of_this_run()
    assert {name: each.state for name, each in receipt.deliveries.items()} == {
        "log": "delivered",
        "webhook": "delivered",
    }
    assert requests.get(alert["links"]["Run in Airflow"], timeout=30).status_code == 200


def test_a_report_is_for_people_who_are_logged_in(airflow: Any) -> None:
    """Kills a page of the plugin that Airflow does not protect, and a login that does not lead back to it."""
    page = f"{airflow.url}/emseg/report/demo/none"
    sent_away = requests.get(page, timeout=30, allow_redirects=False)
    assert sent_away.status_code == 307
    to_the_login = requests.get(sent_away.headers["location"], timeout=30, allow_redirects=False)
    assert to_the_login.status_code in {302, 307}
    assert "emseg%2Freport%2Fdemo%2Fnone" in to_the_login.headers["location"]
    assert report_of(airflow, page).status_code == 404
