"""What every store must do, run on a folder and on the real S3 server."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from time import sleep

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.store import ObjectMissingError, S3Store, join_key
from emseg.store.objects import checked_folder, checked_key


def test_an_object_is_read_back_whole_and_replaced_whole(store):
    """Kills stores that append, truncate or translate line ends."""
    body = bytes(range(256)) * 1000 + b"\r\n\x00"
    store.put("a/b/c", body, "image/png")
    assert store.get("a/b/c") == body
    store.put("a/b/c", b"")
    assert store.get("a/b/c") == b""
    assert store.exists("a/b/c")


@given(start=st.integers(0, 40), size=st.integers(0, 40))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_is_what_a_slice_of_the_whole_is(store, start, size):
    """Kills ends that are off by one, and an error where the object ends before the part: its reader checks the sum."""
    body = bytes(range(30))
    store.put("a/b/c", body)
    assert store.get_part("a/b/c", start, size) == body[start : start + size]


def test_a_missing_object_is_named_and_is_no_transient_fault(store):
    """Kills `None` or an endless retry for what is not there; a folder of keys is not an object either."""
    store.put("a/b/c", b"x")
    for key in ("a/b/d", "a/b", "z"):
        assert not store.exists(key)
        for read in (store.get, store.get_with_version, lambda key: store.get_part(key, 0, 1)):
            with refused(PermanentError, store.address(key)) as caught:
                read(key)
            assert not caught.value.retry_is_safe
    with pytest.raises(ObjectMissingError):
        store.get("a/b/d")


def test_put_if_absent_keeps_the_first(store):
    """Kills an unconditional put; the owner's own repetition (a lost reply) is still a success."""
    assert store.put_if_absent("marker.json", b"first")
    assert not store.put_if_absent("marker.json", b"second")
    assert store.get("marker.json") == b"first"
    assert store.put_if_absent("marker.json", b"first")


def test_replace_if_changes_only_the_version_that_was_read(store):
    """Kills stores that ignore the version, and ones that create what is not there."""
    store.put("lease", b"1")
    old, version = store.get_with_version("lease")
    assert old == b"1"
    assert store.replace_if("lease", b"2", version)
    assert not store.replace_if("lease", b"3", version)
    assert store.get("lease") == b"2"
    assert not store.replace_if("other", b"1", version)
    assert not store.exists("other")


def test_delete_removes_and_may_be_repeated(store):
    """Kills an error on the second delete: a retried clean-up would fail."""
    store.put("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert store.put_if_absent("a/b", b"y")


def test_keys_are_listed_in_order_for_one_folder_only(store):
    """Kills prefix matching by characters (`ab` is not in folder `a`), depth limits and unsorted listings."""
    keys = ["a/b", "a/c/d", "a/c.x/y", "a/c-x/y", "ab/c", "b", "a/cc", "A/z"]
    for key in keys:
        store.put(key, b"x")
    assert list(store.keys_under("a")) == ["a/b", "a/c-x/y", "a/c.x/y", "a/c/d", "a/cc"]
    assert list(store.keys_under("a/c/")) == ["a/c/d"]
    assert list(store.keys_under("")) == sorted(keys)
    assert list(store.keys_under("none")) == []


def test_a_listing_goes_on_after_a_thousand_keys(store):
    """Kills a listing of the first page only (S3 gives 1000 keys a page)."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.put(f"many/{n:05d}", b""), range(1003)))
    assert list(store.keys_under("many")) == [f"many/{n:05d}" for n in range(1003)]


@pytest.mark.parametrize(("rounds", "size"), [(5, 1_000_000), (60, 10)])
def test_of_eight_threads_that_want_a_key_one_gets_it(store, rounds, size):
    """Kills look-then-write: with 1 MB bodies, where careless S3 servers let several win, and in many short races."""
    start = Barrier(8)

    def put(name: int, key: str) -> bool:
        start.wait()
        return store.put_if_absent(key, bytes([name]) * size)

    with ThreadPoolExecutor(8) as pool:
        for number in range(rounds):
            won = list(pool.map(put, range(8), [f"race/{number}"] * 8))
            assert sum(won) == 1
            assert store.get(f"race/{number}") == bytes([won.index(True)]) * size


def test_no_increment_of_eight_threads_is_lost(store):
    """Kills a compare and a swap in two steps, and taking a rival's equal bytes for one's own (300 kB: slow reads)."""
    store.put("counter", b"0".ljust(300_000))

    def count(_: int) -> None:
        done = 0
        while done < 10:
            value, version = store.get_with_version("counter")
            done += store.replace_if("counter", str(int(value) + 1).encode().ljust(300_000), version)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert int(store.get("counter")) == 80


def test_addresses_are_for_people(store):
    """An error must say where to look."""
    assert store.address("a/b").endswith("/a/b")


BAD_PARTS = [
    "",
    ".",
    "..",
    "a..b",
    "../x",
    "a//b",
    "a\\b",
    "a\x00",
    "a\n",
    ".hidden",
    "-x",
    "ä",
    "\uff41",
    "a b",
    "%2e",
    "x" * 128,
]
BAD_BETWEEN_SLASHES = {"../x": "..", "a//b": ""}
"""Parts that a key splits further, and what is bad of them."""


@pytest.mark.parametrize("part", BAD_PARTS)
def test_names_that_could_leave_the_folder_are_refused(store, part):
    """Kills path traversal, hidden files and look-alike letters, in every method that takes a key."""
    with refused(PermanentError, ascii(part)):
        join_key("a", part)
    key = f"a/{part}"
    for use in (
        store.get,
        store.exists,
        store.delete,
        lambda k: store.put(k, b""),
        lambda k: list(store.keys_under(f"{k}/x")),
    ):
        with refused(PermanentError, ascii(BAD_BETWEEN_SLASHES.get(part, part))):
            use(key)


@given(st.lists(st.text(max_size=6) | st.sampled_from(["..", "/", "a", "a.b", "x/../y"]), max_size=4))
def test_a_joined_key_never_leaves_its_folder(parts):
    """For any text: refused, or a path whose parts are exactly those given, none of them special."""
    try:
        key = join_key(*parts)
    except PermanentError:
        return
    assert key.split("/") == parts
    assert all(part.isascii() and part[0].isalnum() and ".." not in part for part in parts)
    assert checked_key(key) == key
    assert checked_folder(key) == f"{key}/"


def test_a_listing_with_sizes_and_times_names_the_same_keys(store):
    """Kills sizes of something else, and times of this computer or without a zone, which cannot be compared."""
    keys = [f"a/{n}/x" for n in range(3)] + ["a.b", "b/c"]
    for key in keys:
        store.put(key, b"12345"[: len(key)])
    listed = list(store.objects_under(""))
    assert [each.key for each in listed] == list(store.keys_under(""))
    assert {each.key: each.size for each in listed} == {key: min(5, len(key)) for key in keys}
    assert [each.key for each in store.objects_under("a")] == ["a/0/x", "a/1/x", "a/2/x"]
    assert [each.key for each in store.objects_under("a", after="a/0/x")] == ["a/1/x", "a/2/x"]
    assert [each.key for each in store.objects_under("", after="a/1")] == ["a/1/x", "a/2/x", "b/c"]
    assert list(store.objects_under("a", after="a/2/x")) == []
    (before,) = (each.modified for each in listed if each.key == "b/c")
    assert abs((datetime.now(UTC) - before).total_seconds()) < 600
    sleep(1.1)
    store.put("b/c", b"again")
    (after,) = store.objects_under("b")
    assert after.modified > before


def test_folders_are_named_without_what_is_in_them(store):
    """Kills objects among the folders, and folders of a deeper level."""
    for key in ("marker.json", "brain/runs/one/spec.json", "brain/runs/two/spec.json", "brain/x", "probe/1"):
        store.put(key, b"x")
    assert list(store.folders_under("")) == ["brain", "probe"]
    assert list(store.folders_under("brain")) == ["runs"]
    assert list(store.folders_under("brain/runs/")) == ["one", "two"]
    assert list(store.folders_under("nowhere")) == []


def test_a_write_that_was_not_ended_is_dropped_when_it_is_old(store, unfinished):
    """Kills parts of uploads that S3 keeps and shows nowhere, and dropping the upload of a writer that lives."""
    store.put("big/object", b"whole")
    unfinished("big/other")
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    left = 1 if isinstance(store, S3Store) else 0  # a folder is rid of them when it is opened
    assert store.drop_unfinished(past, dry_run=False) == 0
    assert store.drop_unfinished(future, dry_run=True) == left
    assert store.drop_unfinished(future, dry_run=False) == left
    assert store.drop_unfinished(future, dry_run=False) == 0
    assert list(store.keys_under("")) == ["big/object"]
    assert store.get("big/object") == b"whole"
