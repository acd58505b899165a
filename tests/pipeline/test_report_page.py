"""The report of a run on Airflow's web server: who may read it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from tests.pipeline.conftest import report_of

pytestmark = [pytest.mark.services, pytest.mark.airflow]


def test_a_report_is_for_people_who_are_logged_in(airflow: Any) -> None:
    """Kills a page of the plugin that Airflow does not protect, and a login that does not lead back to it."""
    page = f"{airflow.url}/emseg/report/demo/none"
    sent_away = requests.get(page, timeout=30, allow_redirects=False)
    assert sent_away.status_code == 307
    to_the_login = requests.get(sent_away.headers["location"], timeout=30, allow_redirects=False)
    assert to_the_login.status_code in {302, 307}
    assert "emseg%2Freport%2Fdemo%2Fnone" in to_the_login.headers["location"]
    assert report_of(airflow, page).status_code == 404
