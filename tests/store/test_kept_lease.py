"""A lease that is renewed while its holder waits for others."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.errors import TransientError
from emseg.store import FolderStore, Lease, LeaseHeldError, LeaseLostError

TTL_S = 0.4


def test_a_lease_is_kept_as_long_as_others_work(tmp_path: Path) -> None:
    """Kills a driver that is taken for dead while its executors post."""
    store = FolderStore(tmp_path)
    with Lease(store, "lease.json", "first", TTL_S) as lease:
        other = Lease(store, "lease.json", "second", TTL_S)
        with lease.kept(TTL_S / 8):
            for _ in range(3):
                with pytest.raises(LeaseHeldError):
                    other.take()
                time.sleep(TTL_S * 1.2)
        lease.renew()


def test_a_lost_lease_is_told_to_the_next_who_would_write(tmp_path: Path) -> None:
    """Kills a keeper that takes the lease again, and one that hides the loss."""
    store = FolderStore(tmp_path)
    lease = Lease(store, "lease.json", "first", TTL_S)
    lease.take()
    with lease.kept(0.02):
        store.delete("lease.json")
        time.sleep(0.2)
    assert not store.exists("lease.json")
    with refused(LeaseLostError, "lease.json"):
        lease.renew()


def test_one_failed_renewal_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, calls = FolderStore(tmp_path), []
    lease = Lease(store, "lease.json", "first", TTL_S)
    lease.take()
    renew = lease.renew

    def flaky() -> int:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise TransientError("writing", "lease.json", "HTTP 503", "Try again")
        return renew()

    monkeypatch.setattr(lease, "renew", flaky)
    with lease.kept(0.02):
        time.sleep(0.2)
    assert len(calls) > 2
    lease.renew()
