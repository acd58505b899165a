"""Request slots: never more holders than slots, each run its share, and nothing lost with a process that dies."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError, TransientError
from emseg.store import FolderStore, ObjectStore, RequestSlots, SlotBoard, SlotTimes
from emseg.store.slot_board import HOME_S

URL = "http://dvid.example.org:8000"
SHORT = SlotTimes(renew_s=0.1, hold_s=0.4, silent_s=0.6, turn_s=0.3, linger_s=0.1, look_s=0.05, patience_s=5.0)


@pytest.fixture
def opened() -> Iterator[list[RequestSlots]]:
    opened: list[RequestSlots] = []
    yield opened
    for slots in opened:
        slots.close()


def board(store: ObjectStore, group: str, limit: int = 2, times: SlotTimes = SHORT) -> SlotBoard:
    return SlotBoard(store, URL, limit, group, times)


def test_each_slot_has_one_holder_until_it_is_given_back(store: ObjectStore) -> None:
    """Kills a take that looks before it writes; runs on a folder and on the real S3 server."""
    first, second = board(store, "a/1"), board(store, "b/1")
    seen = first.look()
    assert seen.free == {0: None, 1: None}
    assert first.take(0, None)
    assert not second.take(0, seen.free[0])
    assert second.look().held.keys() == {0}
    first.give_back(0, first.look().held[0])
    freed = second.look().free[0]
    assert first.take(0, freed)
    assert not second.take(0, freed)
    assert first.take(0, first.look().held[0])


def test_a_version_of_a_listing_is_the_one_that_a_write_compares(store: ObjectStore) -> None:
    """Kills an ETag of another form in the listing than in the answer to a read."""
    store.put("requests/x/slots/0000.json", b"something")
    ((each, version),) = store.versions_under("requests")
    assert (each.size, version) == (9, store.get_with_version(each.key)[1])


def test_a_holder_that_fell_silent_is_succeeded_and_a_living_one_is_not(tmp_path) -> None:
    """Kills a slot that is lost with its process, and one that is taken from whoever renews it."""
    store = FolderStore(tmp_path)
    holder, watcher = board(store, "a/1"), board(store, "b/1")
    assert holder.take(0, None)
    end = time.monotonic() + 2 * SHORT.silent_s
    while time.monotonic() < end:
        assert holder.take(0, holder.look().held[0])
        assert not watcher.look().silent
        time.sleep(0.05)
    last = watcher.look()
    time.sleep(SHORT.silent_s)
    silent = watcher.look().silent
    assert silent == {0: last.held[0]}
    assert watcher.take(0, silent[0])
    assert not holder.take(0, last.held[0])


def test_homes_share_the_slots_among_those_who_wait_and_no_others(tmp_path) -> None:
    """Kills shares by the number of processes, and slots that are kept free for a run that wants none."""
    store = FolderStore(tmp_path)
    alone = board(store, "a/1", limit=8)
    assert {alone.look().home(slot) for slot in range(8)} == {alone.own}
    others = [board(store, "b/1", limit=8), board(store, "b/1", limit=8), board(store, "c/1", limit=8)]
    for other in others:
        other.wait()
    view = alone.look()
    assert view.waiting == {others[0].own: 2, others[2].own: 1}
    assert sorted(Counter(view.home(slot) for slot in range(8)).values()) == [2, 3, 3]
    for other in others:
        other.wait_no_more()
    assert alone.look().groups == (alone.own,)


def test_with_more_runs_than_slots_homes_move_on_by_the_clock_of_the_store(tmp_path) -> None:
    """Kills two runs that keep the only two slots from the third for ever."""
    store = FolderStore(tmp_path)
    boards = [board(store, f"{name}/1") for name in "abc"]
    for each in boards:
        each.wait()
    homes = Counter[str]()
    for moment in range(3):
        for path in tmp_path.rglob("*.json"):
            os.utime(path, (moment * HOME_S, moment * HOME_S))
        homes.update(boards[0].look().home(slot) for slot in range(2))
    assert homes == {each.own: 2 for each in boards}


def test_one_that_waits_and_dies_is_waited_for_no_longer(tmp_path) -> None:
    """Kills slots that stay free for a run whose executors are gone."""
    store = FolderStore(tmp_path)
    living, dead = board(store, "a/1"), board(store, "b/1")
    dead.wait()
    assert living.look().waiting
    time.sleep(SHORT.silent_s + 3 * SHORT.waiting_s(1))
    assert not living.look().waiting


def test_threads_and_processes_hold_no_more_than_there_is(tmp_path, opened) -> None:
    """Four holders of two runs with three threads each, and three slots. Kills a slot for two requests, a run that
    gets nothing, and a keeper that forgets a thread."""
    store, lock, now, most, of_run = FolderStore(tmp_path), threading.Lock(), [0], [0], Counter[str]()
    end = time.monotonic() + 3.0

    def use(slots: RequestSlots, run: str) -> None:
        while time.monotonic() < end:
            with slots.one():
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                    of_run[run] += 1
                time.sleep(0.005)
                with lock:
                    now[0] -= 1

    threads = []
    for run in ("a/1", "a/1", "b/1", "b/1"):
        opened.append(RequestSlots(board(store, run, limit=3)))
        threads += [threading.Thread(target=use, args=(opened[-1], run)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] <= 3
    assert min(of_run.values()) > 0.2 * sum(of_run.values())


def test_what_is_not_used_is_given_back_and_the_keeper_ends(tmp_path, opened) -> None:
    """Kills slots held by workers that compute for an hour, and a thread that lives as long as the process."""
    opened.append(RequestSlots(board(FolderStore(tmp_path), "a/1")))
    with opened[0].one():
        pass
    end = time.monotonic() + 5
    watcher = board(FolderStore(tmp_path), "b/1")
    while watcher.look().held and time.monotonic() < end:
        time.sleep(0.05)
    assert not watcher.look().held
    while any(thread.name == "request slots" for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.05)
    assert time.monotonic() < end


def test_a_request_that_takes_long_keeps_its_slot(tmp_path, opened) -> None:
    """Kills a slot that is renewed only between requests."""
    store = FolderStore(tmp_path)
    opened.append(RequestSlots(board(store, "a/1", limit=1)))
    watcher = board(store, "b/1", limit=1)
    with opened[0].one():
        end = time.monotonic() + 3 * SHORT.silent_s
        while time.monotonic() < end:
            assert watcher.look().held
            time.sleep(0.05)


class Unreachable(FolderStore):
    """A folder that can be lost."""

    error: Exception | None = None

    def versions_under(self, prefix: str):
        if self.error is not None:
            raise self.error
        return super().versions_under(prefix)


def test_who_loses_the_store_stops_sending_and_goes_on_when_it_is_back(tmp_path, opened) -> None:
    """Kills a process that sends under a slot which others have taken over."""
    store = Unreachable(tmp_path)
    opened.append(RequestSlots(board(store, "a/1")))
    with opened[0].one():
        store.error = TransientError("listing", "s3://x", "it does not answer", "try again")
        time.sleep(SHORT.hold_s)
    threading.Timer(0.5, lambda: setattr(store, "error", None)).start()
    began = time.monotonic()
    with opened[0].one():
        assert time.monotonic() - began >= 0.4


def test_a_store_that_refuses_is_the_error_of_the_request(tmp_path, opened) -> None:
    """Kills a request that waits half an hour for a right that is missing, and a dead keeper that nobody replaces."""
    store = Unreachable(tmp_path)
    opened.append(RequestSlots(board(store, "a/1")))
    store.error = PermanentError("listing", "s3://x", "AccessDenied", "give the right")
    with refused(PermanentError, "AccessDenied"), opened[0].one():
        pass
    store.error = None
    with opened[0].one():
        pass


def test_who_waits_too_long_is_told_who_holds_the_slots(tmp_path, opened) -> None:
    """Kills a wait without an end, and a message that leaves a person to guess."""
    store = FolderStore(tmp_path)
    impatient = SlotTimes(**{**vars(SHORT), "patience_s": 0.4, "turn_s": 60.0})
    opened.append(RequestSlots(board(store, "medulla/run-7")))
    opened.append(RequestSlots(board(store, "medulla/run-7", times=impatient)))
    with ExitStack() as held:
        held.enter_context(opened[0].one())
        held.enter_context(opened[0].one())
        with refused(TransientError, "medulla/run-7", "process", ": 2", "max_requests"), opened[1].one():
            pass


def test_objects_name_no_address_and_no_secret(tmp_path) -> None:
    """Kills a key with the address of a server in it."""
    each = SlotBoard(FolderStore(tmp_path), "https://secret-host.example.org", 1, "a/1", SHORT)
    each.take(0, None)
    each.wait()
    for path in tmp_path.rglob("*.json"):
        assert "secret-host" not in f"{path}{path.read_text()}"
    assert SlotBoard(FolderStore(tmp_path), "https://secret-host.example.org/", 1).look().held


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_limit_that_is_none_is_refused(tmp_path, limit: int) -> None:
    with refused(PermanentError, str(limit), "1000"):
        SlotBoard(FolderStore(tmp_path), URL, limit)
