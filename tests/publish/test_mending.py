"""Lost, damaged, swapped and contradicting records: told at once, mended from copies, and nothing invented."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from tests.publish.test_chain import record
from tests.refusals import refused

from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.publish import ReleaseRecord, releases, roll_back, served_release
from emseg.publish.chain import claimed, copy_key, current_key, keep_copy, number_key, sealed, serve
from emseg.publish.mending import faults, mend
from emseg.store import FolderStore

CURRENT = current_key("demo")


def number(n: int) -> str:
    return number_key("demo", n)


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    """Three releases, and a fourth that is a rollback to the first."""
    store = FolderStore(tmp_path)
    for _ in range(3):
        made = claimed(store, "demo", lambda n, _: record(n))
        keep_copy(store, made)
        serve(store, made)
    roll_back(store, "demo", 1, "ana", "axons are cut")
    return store


@pytest.fixture
def whole(folder: FolderStore) -> dict[str, bytes]:
    return {key: folder.get(key) for key in folder.keys_under("")}


def spoiled(store: FolderStore, key: str) -> None:
    data = bytearray(store.get(key))
    data[len(data) // 3] ^= 2
    store.put(key, bytes(data))


def mended(store: FolderStore) -> list[str]:
    """Keys of what is left after mending."""
    return [fault.key for fault in mend(store, faults(store, "demo"))]


def test_a_whole_chain_has_no_fault(folder):
    assert faults(folder, "demo") == []
    assert faults(folder, "nobody") == []


@pytest.mark.parametrize("harm", [FolderStore.delete, spoiled, lambda store, key: store.put(key, b"{")])
def test_every_object_is_mended_to_the_same_bytes(folder, whole, harm: Callable[[FolderStore, str], None]):
    """Each alone, and each pair but a record with all of its copies. Kills a repair that is itself a new fault."""
    for broken in (*((key,) for key in whole), *combinations(whole, 2)):
        for key in broken:
            harm(folder, key)
        if any(set(broken) == {number(n), copy_key(releases_of(whole)[n - 1])} for n in (1, 2, 3)):
            assert [fault.key for fault in faults(folder, "demo") if fault.record is None]
        else:
            assert mended(folder) == []
            assert {key: folder.get(key) for key in folder.keys_under("")} == whole, broken
        for key, data in whole.items():
            folder.put(key, data)


def releases_of(whole: dict[str, bytes]) -> list[ReleaseRecord]:
    return [record(1), record(2), record(3)]


@pytest.mark.parametrize(("one", "other"), [(number(1), number(2)), (CURRENT, number(1)), (CURRENT, number(4))])
def test_two_whole_objects_in_each_others_place_are_noticed_and_mended(folder, whole, one, other):
    folder.put(one, whole[other])
    folder.put(other, whole[one])
    with pytest.raises(IntegrityError):
        served_release(folder, "demo") if one == CURRENT else releases(folder, "demo")
    assert mended(folder) == []
    assert {key: folder.get(key) for key in folder.keys_under("")} == whole


def test_a_gap_is_told_at_once(folder):
    """Reproduced before: a publisher tried to take number 4 of a chain without 2 for 147 s."""
    folder.delete(number(2))
    start = time.monotonic()
    with refused(IntegrityError, folder.address(number(2)), "emseg releases repair demo"):
        claimed(folder, "demo", lambda n, _: record(n))
    assert time.monotonic() - start < 1


def test_a_rollback_that_fails_leaves_no_new_number_and_its_retry_succeeds(folder, whole):
    """Kills a number that is taken before the pointer is known to move."""
    spoiled(folder, CURRENT)
    with refused(IntegrityError, folder.address(CURRENT)):
        roll_back(folder, "demo", 2, "ana", "axons are cut")
    assert {key: folder.get(key) for key in folder.keys_under("")} == whole, "the pointer is mended, and no more"
    assert roll_back(folder, "demo", 2, "ana", "axons are cut").number == 5


def test_what_no_copy_tells_is_left_to_a_person(folder):
    """Kills a repair that closes a gap by renumbering, or by a record made up from its neighbours."""
    for key in (number(2), copy_key(record(2))):
        folder.delete(key)
    with refused(PermanentError, folder.address(number(2)), "emseg releases check demo"):
        roll_back(folder, "demo", 1, "ana", "axons are cut")
    assert mended(folder) == [number(2)]
    assert not folder.exists(number(2))


def test_where_nothing_tells_of_the_last_release_nobody_says_that_it_is_served(folder):
    """Kills a repair that calls only one of two damaged objects by name, and sends a person in a circle."""
    for key in [key for key in folder.keys_under("demo") if b'"number":4' in folder.get(key)]:
        spoiled(folder, key)
    found = {fault.key: fault.remedy for fault in faults(folder, "demo") if fault.record is None}
    assert found.keys() == {number(4), CURRENT}
    assert "record of release 4" in found[CURRENT]
    assert mended(folder) == [number(4), CURRENT]


def test_a_pointer_to_an_earlier_release_is_not_blamed_for_a_lost_last_record(folder):
    """Kills the sentence that nothing is served, where the release before the lost one is."""
    earlier = sealed(record(3), CURRENT)
    for key in [key for key in folder.keys_under("demo") if b'"number":4' in folder.get(key)]:
        folder.put(key, earlier) if key == CURRENT else spoiled(folder, key)
    assert mended(folder) == [number(4)]


def test_copies_that_contradict_each_other_are_left_to_a_person(folder):
    folder.delete(number(2))
    other = record(2, uuid="f" * 32)
    key = "demo/runs/run-9/release.json"
    folder.put(key, sealed(other, key))
    (fault,) = (fault for fault in faults(folder, "demo") if fault.record is None)
    assert record(2).uuid in fault.found
    assert other.uuid in fault.found


def test_the_run_folder_and_another_source_know_a_lost_record(folder, whole):
    for key in (number(2), copy_key(record(2))):
        folder.delete(key)
    asked = []
    told = faults(folder, "demo", lambda n, chain: asked.append((n, sorted(chain))) or record(2))
    assert mend(folder, told) == []
    assert asked == [(2, [1, 3, 4])]
    assert {key: folder.get(key) for key in folder.keys_under("")} == whole
    for key in (number(2), copy_key(record(2))):
        folder.delete(key)
    folder.put("demo/runs/run-1/release.json", sealed(record(2), "demo/runs/run-1/release.json"))
    assert mended(folder) == []
    assert releases(folder, "demo")[1] == record(2)


def test_a_chain_that_contradicts_itself_is_told(folder):
    folder.put(number(3), sealed(record(3, supersedes="e" * 32), number(3)))
    found = [fault for fault in faults(folder, "demo") if fault.record is None]
    assert [fault.key for fault in found] == [number(3)]


def test_a_publisher_that_is_faster_is_not_overwritten(folder):
    """Kills a repair that reads the pointer, thinks, and puts."""
    folder.delete(CURRENT)
    serve(folder, record(3))
    told = faults(folder, "demo")
    newest = claimed(folder, "demo", lambda n, _: record(n))
    serve(folder, newest)
    with refused(TransientError, folder.address(CURRENT)):
        mend(folder, told)
    assert served_release(folder, "demo") == newest


def test_records_of_the_release_before_are_sealed(tmp_path):
    """Kills an upgrade after which nothing can be published any more."""
    store, old = FolderStore(tmp_path), record(1)
    for key in (number(1), copy_key(old), CURRENT):
        store.put(key, old.model_dump_json().encode())
    with refused(PermanentError, "schema 1", "emseg releases repair demo"):
        served_release(store, "demo")
    assert mended(store) == []
    assert served_release(store, "demo") == old
    assert releases(store, "demo") == (old,)
