"""How services are opened: once a process, and under the limit that the driver was given."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from emseg.phases.services import services_from_environment, services_of_run

ENVIRONMENT = {
    "EMSEG_DVID_URL": "http://127.0.0.1:9",
    "EMSEG_S3_BUCKET": "neurons",
    "EMSEG_S3_ENDPOINT": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    services_from_environment.cache_clear()
    yield
    services_from_environment.cache_clear()


def slots_of(run: object) -> object:
    return run.server._slots  # type: ignore[attr-defined]


def test_a_worker_gets_the_limit_of_its_driver_though_its_own_environment_lacks_it(monkeypatch) -> None:
    """Kills executors without a limit: the environment of a cluster's workers is not that of the driver."""
    monkeypatch.setenv("EMSEG_DVID_MAX_REQUESTS", "7")
    sent = pickle.dumps(services_of_run("medulla", "run-1"))
    assert b"secret" not in sent
    monkeypatch.delenv("EMSEG_DVID_MAX_REQUESTS")
    opened = pickle.loads(sent)  # noqa: S301 - Spark sends it so, and this test made it
    assert slots_of(opened())._board.limit == 7
    assert slots_of(opened())._board.group == "medulla/run-1"
    assert opened() is opened()


def test_without_a_limit_no_slot_is_asked_for() -> None:
    """Kills requests to S3 that a laptop pays for nothing."""
    assert type(slots_of(services_of_run("medulla", "run-1")())).__name__ == "_NoLimit"
