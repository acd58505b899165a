"""One run at a time of a dataset, whoever started it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.store import FolderStore, LeaseHeldError
from emseg.tasks import one_run
from emseg.tasks.one_run import job_lease, one_run_at_a_time


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    monkeypatch.setattr(one_run, "PATIENCE_S", 0.0)
    return FolderStore(tmp_path)


def test_another_run_of_the_dataset_waits_and_goes_on_afterwards(store: FolderStore) -> None:
    """Kills two runs of one dataset at once, one from Airflow and one from a shell."""
    with one_run_at_a_time(store, "demo", "from-airflow"):
        assert not job_lease(store, "demo", "from-a-shell").is_free()
        with refused(LeaseHeldError, "demo/leases/job.json", "run from-airflow"), one_run_at_a_time(store, "demo", "b"):
            pytest.fail("it began")
    assert job_lease(store, "demo", "from-a-shell").is_free()
    with one_run_at_a_time(store, "demo", "from-a-shell"):
        pass


def test_runs_of_different_datasets_and_tries_of_one_run_do_not_wait(store: FolderStore) -> None:
    """Kills one lease for all, and a retry that waits until its own killed try is taken for dead."""
    with one_run_at_a_time(store, "demo", "a"), one_run_at_a_time(store, "other", "b"):
        with one_run_at_a_time(store, "demo", "a", renew_s=0.01):
            threading.Event().wait(0.05)
        assert job_lease(store, "demo", "b").is_free()


def test_a_job_that_died_holds_the_dataset_for_a_minute_only(store: FolderStore, monkeypatch) -> None:
    """Kills a dataset that is closed for ever by a driver that was killed."""
    monkeypatch.setattr(one_run, "TTL_S", 0.1)
    job_lease(store, "demo", "died").take()
    other = job_lease(store, "demo", "next")
    assert not other.is_free()
    threading.Event().wait(0.15)
    assert other.is_free()


def test_a_long_job_goes_on_holding_it(store: FolderStore, monkeypatch) -> None:
    """Kills a lease that is taken and never renewed."""
    monkeypatch.setattr(one_run, "TTL_S", 0.4)
    other = job_lease(store, "demo", "next")
    with one_run_at_a_time(store, "demo", "long", renew_s=0.05):
        for _ in range(8):
            assert not other.is_free()
            threading.Event().wait(0.1)
