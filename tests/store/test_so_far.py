"""Markers that a driver keeps together while a phase runs: a retry reads few objects, and believes no stale one."""

from __future__ import annotations

from collections import Counter

import pytest

from emseg.store import FolderStore, Markers, PhaseFolder, S3Store, phase_folder
from emseg.store.parts import joined

ITEMS = tuple(f"sv-{number:08d}" for number in range(40))


class Counting:
    """A store that counts its requests."""

    def __init__(self, store) -> None:
        self._store, self.calls = store, Counter()

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self._store, name)


@pytest.fixture
def s3_store(s3_connection) -> S3Store:
    return S3Store.open(s3_connection)


@pytest.fixture
def _few(monkeypatch):
    monkeypatch.setattr(phase_folder, "READ_ONE_BY_ONE", 4)


def opened(store, attempt: str = "a") -> PhaseFolder:
    return PhaseFolder(store, "brain", "segment", "0" * 32, attempt)


def kept(store) -> PhaseFolder:
    """All items committed, all but the last five of them kept together, in two objects."""
    folder = opened(store)
    markers = [folder.commit_item(item, [folder.write_artefact(item, "x", item.encode())], {"n": 1}) for item in ITEMS]
    folder.keep_so_far(Markers.of(markers[:20]))
    folder.keep_so_far(Markers.of(markers[20:35]))
    return folder


@pytest.mark.services
@pytest.mark.usefixtures("_few")
def test_a_retry_reads_what_was_kept_together_and_the_rest_one_by_one(s3_store):
    """Kills a resume that costs a request an item: a million of them are twenty minutes at 20 ms."""
    kept(s3_store)
    counting = Counting(s3_store)
    markers = opened(counting, "b").committed(ITEMS)
    assert [marker.item for marker in markers] == list(ITEMS)
    assert [marker.attempt for marker in markers] == ["a"] * 40
    assert counting.calls["get"] + counting.calls["get_with_version"] == 2 + 5


@pytest.mark.services
@pytest.mark.usefixtures("_few")
def test_a_marker_that_was_lost_or_made_anew_since_is_not_taken_from_what_was_kept(s3_store):
    """Kills trust in a copy: the artefact of an item that was set aside is gone, and another attempt made it anew."""
    folder = kept(s3_store)
    for item in ITEMS[3:5]:
        s3_store.delete(folder._item_key(item))
    again = opened(s3_store, "later")
    again.commit_item(ITEMS[3], [again.write_artefact(ITEMS[3], "x", b"new")], {"n": 2})
    found = {marker.item: marker for marker in opened(s3_store, "b").committed(ITEMS)}
    assert ITEMS[4] not in found
    assert (found[ITEMS[3]].attempt, found[ITEMS[3]].statistics["n"]) == ("later", 2)
    assert len(found) == len(ITEMS) - 1


@pytest.mark.services
@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:50] + b"?" + data[51:], lambda _: b""])
def test_what_was_kept_and_is_damaged_is_not_used(s3_store, change):
    folder = kept(s3_store)
    for key in list(s3_store.keys_under(folder._key("manifests"))):
        s3_store.put(key, change(s3_store.get(key)))
    assert [marker.item for marker in opened(s3_store, "b").committed(ITEMS)] == list(ITEMS)


@pytest.mark.services
@pytest.mark.usefixtures("_few")
def test_what_another_release_kept_in_another_form_is_passed_over(s3_store):
    """Kills a retry that an upgrade in mid-run stops for good: the phase key is the same before and after it."""
    folder = kept(s3_store)
    markers = Markers.of(folder.item_markers(ITEMS))
    for key in list(s3_store.keys_under(folder._key("manifests"))):
        s3_store.delete(key)
    draft, data = joined("so-far", "", {**markers.parts, "md5": "\n".join(["0" * 32] * len(ITEMS)).encode()})
    s3_store.put(folder._key("manifests", f"so-far-a-{draft.index}-{draft.sha256}"), data)
    assert [marker.item for marker in opened(s3_store, "b").committed(ITEMS)] == list(ITEMS)


@pytest.mark.usefixtures("_few")
def test_a_store_whose_listing_tells_no_checksum_is_read_one_by_one(tmp_path):
    store = FolderStore(tmp_path)
    kept(store)
    counting = Counting(store)
    assert len(opened(counting, "b").committed(ITEMS)) == len(ITEMS)
