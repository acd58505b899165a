"""The lease: one holder at a time, a living one is left alone, a dead one is succeeded, a sleeper finds out."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.store import Lease, LeaseHeldError, LeaseLostError

KEY = "medulla/leases/stitch.json"


def test_the_second_waits_for_the_first_and_gets_the_next_fence(store):
    """Kills a lease for two, and a fence that starts again after a release."""
    first, second = Lease(store, KEY, "run 1", 60), Lease(store, KEY, "run 2", 60)
    assert first.take() == 1
    with refused(LeaseHeldError, "run 1 holds it", "alive less than 60 s ago"):
        second.take()
    assert first.renew() == 1
    first.release()
    assert second.take() == 2
    with pytest.raises(LeaseHeldError):
        first.take()


@pytest.mark.parametrize("is_there", [False, True])
def test_of_eight_takers_one_holds(store, is_there):
    """Kills read-then-write, for the first taking ever and for one after a release."""
    if is_there:
        with Lease(store, KEY, "earlier", 60):
            pass
    start = Barrier(8)

    def take(number: int) -> int:
        start.wait()
        try:
            return Lease(store, KEY, f"run {number}", 60).take()
        except LeaseHeldError:
            return 0

    with ThreadPoolExecutor(8) as pool:
        fences = list(pool.map(take, range(8)))
    assert sorted(fences) == [0] * 7 + [1 + is_there]


def test_a_living_holder_is_left_alone_and_a_silent_one_succeeded(store):
    """Kills expiry by age of the lease rather than by silence, and a lease that a dead holder keeps for ever."""
    holder, watcher = Lease(store, KEY, "run 1", 0.6), Lease(store, KEY, "run 2", 60)
    holder.take()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        with pytest.raises(LeaseHeldError):
            watcher.take()
        holder.renew()
        time.sleep(0.1)
    silent_since = time.monotonic()
    assert watcher.take_within(10, pause_s=0.05) == 2
    assert time.monotonic() - silent_since >= 0.55
    with refused(LeaseLostError, "fence 2", "run 2"):
        holder.renew()
    with pytest.raises(LeaseLostError):
        holder.release()
    assert watcher.renew() == 2


@pytest.mark.fault("F25")
def test_a_newcomer_does_not_believe_clocks(store, monkeypatch):
    """Kills expiry times written by the holder: its wall clock may be hours off."""
    Lease(store, KEY, "run 1", 60).take()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(LeaseHeldError):
        Lease(store, KEY, "run 2", 60).take()


def test_patience_ends(store):
    """Kills waiting for ever for a living holder."""
    Lease(store, KEY, "run 1", 60).take()
    start = time.monotonic()
    with pytest.raises(LeaseHeldError):
        Lease(store, KEY, "run 2", 60).take_within(0.3, pause_s=0.1)
    assert time.monotonic() - start < 5


def test_as_a_context_it_is_given_back_also_after_an_error(store):
    """Kills a lease that a failed run keeps for its whole time, and one that hides the run's own error."""
    with pytest.raises(ZeroDivisionError), Lease(store, KEY, "run 1", 60):
        raise ZeroDivisionError
    with Lease(store, KEY, "run 2", 60) as lease:
        assert lease.renew() == 2
    assert Lease(store, KEY, "run 3", 60).take() == 3


def test_a_body_that_lost_its_lease_does_not_end_as_a_success(store):
    """Kills a silent end of work that another may have mixed with."""
    with pytest.raises(LeaseLostError), Lease(store, KEY, "run 1", 0.1):
        Lease(store, KEY, "run 2", 60).take_within(5, pause_s=0.05)


def test_the_body_s_own_error_goes_before_the_lost_lease(store, caplog):
    """Kills an exit that hides why the work failed."""
    with pytest.raises(ZeroDivisionError), Lease(store, KEY, "run 1", 0.1):
        1 // (Lease(store, KEY, "run 2", 60).take_within(5, pause_s=0.05) - 2)
    logged = [record.args for record in caplog.records if record.name == "emseg.store.lease"]
    assert any(isinstance(error, LeaseLostError) for *_, error in logged), "that the lease was lost is told, too"


def test_a_damaged_lease_is_held_until_its_time_is_over(store):
    """Kills taking it at once, waiting for ever, and a holder that takes the next holder's for its own."""
    holder, watcher = Lease(store, KEY, "run 1", 60), Lease(store, KEY, "run 2", 0.3)
    holder.take()
    store.put(KEY, store.get(KEY)[:-1])
    with refused(LeaseHeldError, store.address(KEY)):
        watcher.take()
    watcher.take_within(10, pause_s=0.05)
    with refused(LeaseLostError, "run 1", "run 2"):
        holder.renew()


def test_a_lease_of_the_release_before_and_one_without_time_are_refused(store):
    """Kills taking over a lease that cannot be read: a run of the other release may hold it."""
    store.put(KEY, b'{"holder":"run 0","fence":1,"ttl_s":60.0,"turn":"ab","is_held":true}')
    with refused(PermanentError, store.address(KEY), "schema 1"):
        Lease(store, KEY, "run 1", 60).take()
    with refused(PermanentError, KEY, "ttl_s", 0):
        Lease(store, KEY, "run 1", 0)


def test_renewing_without_holding_is_an_error(store):
    """Kills a renewal that takes the lease."""
    with refused(LeaseLostError, store.address(KEY), "run 1"):
        Lease(store, KEY, "run 1", 60).renew()
    assert not store.exists(KEY)


@pytest.mark.services
@pytest.mark.fault("F8")
def test_lost_replies_do_not_lose_the_lease(faulty_proxy, faulty_store):
    """Only replies were lost. Kills a holder that believes a rival renewed, and a taker that believes a rival took."""
    lease = Lease(faulty_store, KEY, "run 1", 60)
    faulty_proxy.faults += ["reset", "lose"]
    assert lease.take() == 1
    faulty_proxy.faults += ["reset", "lose"]
    assert lease.renew() == 1
    faulty_proxy.faults += ["reset", "lose"]
    lease.release()
    assert lease.take() == 2
