"""A phase's folder: one commit each, readers that trust nothing, and repair by computing one item anew."""

import logging
from dataclasses import replace

import pytest
from tests.refusals import refused

from emseg.errors import IntegrityError, PermanentError
from emseg.store import FolderStore, ObjectMissingError, PhaseFolder
from emseg.store.markers import ITEM, PHASE

BASE = "medulla/phases/segment/key1"
ITEMS = ("sv-00000000", "sv-00000001", "sv-00000002")


def folder(store, attempt: str = "a1") -> PhaseFolder:
    return PhaseFolder(store, "medulla", "segment", "key1", attempt)


def reader(store) -> PhaseFolder:
    return PhaseFolder(store, "medulla", "segment", "key1", "")


def quarantined(store) -> set[str]:
    """Keys of what was set aside, below the folder of the phase."""
    return {key.removeprefix(f"{BASE}/quarantine/") for key in store.keys_under(f"{BASE}/quarantine")}


def body(item: str) -> bytes:
    """What computing an item gives: a function of the item alone."""
    return item.encode() * 1000


def run(phase: PhaseFolder):
    """What a phase does: every item that is not done, then the phase. Returns (marker, items computed)."""
    computed = [item for item in ITEMS if item not in phase.done_items()]
    for item in computed:
        phase.commit_item(item, [phase.write_artefact(item, "labels", body(item))], {"voxels": 27})
    return phase.commit_phase(phase.item_markers(ITEMS), {"bodies": 3}), computed


def test_a_phase_is_done_when_its_marker_is_there(store):
    """Kills readers that list artefacts, and a phase that looks done before its commit."""
    phase = folder(store)
    artefact = phase.write_artefact(ITEMS[0], "labels", body(ITEMS[0]))
    assert artefact.key == f"{BASE}/attempt-a1/{ITEMS[0]}/labels"
    assert phase.done_items() == frozenset()
    assert phase.item_marker(ITEMS[0]) is None
    assert phase.phase_marker() is None
    with refused(PermanentError, store.address(f"{BASE}/marker.json")):
        reader(store).manifest()
    marker, _ = run(phase)
    assert reader(store).phase_marker() == marker
    assert (marker.items, marker.results) == (3, {"bodies": 3})
    listed = reader(store).manifest()
    assert [m.item for m in listed] == list(ITEMS)
    assert [reader(store).read_artefact(m.artefact("labels")) for m in listed] == [body(i) for i in ITEMS]
    assert store.exists(f"{BASE}/marker.json")
    assert sorted(reader(store).done_items()) == list(ITEMS)


def test_a_second_attempt_repeats_nothing_and_gets_the_same_bytes(store):
    """Kills resume by attempt: what another attempt committed is done."""
    first = folder(store)
    first.commit_item(ITEMS[1], [first.write_artefact(ITEMS[1], "labels", body(ITEMS[1]))], {})
    resumed, computed = run(folder(store, "a2"))
    assert computed == [ITEMS[0], ITEMS[2]]
    undisturbed, _ = run(PhaseFolder(store, "other", "segment", "key1", "b"))
    assert resumed.content_digest == undisturbed.content_digest
    again, computed = run(folder(store, "a3"))
    assert (again, computed) == (resumed, [])


def test_of_two_attempts_on_one_item_the_first_counts(store):
    """Kills last-writer-wins: readers of the first marker would find other artefacts under it."""
    one, two = folder(store, "a1"), folder(store, "a2")
    first = one.commit_item("sv-1", [one.write_artefact("sv-1", "labels", b"same")], {"n": 1})
    second = two.commit_item("sv-1", [two.write_artefact("sv-1", "labels", b"same")], {"n": 1})
    assert second == first == two.item_marker("sv-1")
    assert first.attempt == "a1"


def test_an_item_that_was_computed_differently_is_said_loudly_and_the_first_counts(store, caplog):
    """Kills silence about a step that is not deterministic."""
    one, two = folder(store, "a1"), folder(store, "a2")
    first = one.commit_item("sv-1", [one.write_artefact("sv-1", "labels", b"one")], {})
    assert caplog.text == ""
    assert two.commit_item("sv-1", [two.write_artefact("sv-1", "labels", b"two")], {}) == first
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert {"sv-1", first.attempt, two.attempt} <= set(record.args)


def test_a_phase_that_was_committed_with_other_bytes_is_refused(store):
    """Kills a loser that goes on with results nobody can reproduce."""
    committed, _ = run(folder(store))
    other = PhaseFolder(store, "other", "segment", "key1", "a2")
    foreign = other.commit_item(ITEMS[0], [other.write_artefact(ITEMS[0], "labels", b"other")], {})
    with refused(IntegrityError, "key1", "a1", "a2", committed.content_digest[:16]):
        folder(store, "a2").commit_phase([foreign], {})


@pytest.mark.parametrize("damage", ["flip", "cut", "lengthen", "empty", "delete", "swap"])
@pytest.mark.fault("F13")
def test_a_damaged_artefact_is_set_aside_and_only_its_item_computed_anew(store, damage, caplog):
    """Kills readers that trust the store, and repair that throws away the other items."""
    committed, _ = run(folder(store))
    artefact = folder(store).item_marker(ITEMS[1]).artefact("labels")
    data = bytearray(body(ITEMS[1]))
    data[500] ^= 4
    bad = {"flip": bytes(data), "cut": bytes(data[:-1]), "lengthen": body(ITEMS[1]) + b"x", "empty": b""}
    if damage == "delete":
        store.delete(artefact.key)
    else:
        store.put(artefact.key, bad.get(damage, body(ITEMS[2])))
    caplog.clear()
    with refused(IntegrityError, ITEMS[1], "labels", store.address(artefact.key)) as caught:
        reader(store).read_artefact(artefact)
    assert "phase segment" in caught.value.remedy
    assert any(record.levelno == logging.ERROR and artefact.key in record.message for record in caplog.records)
    kept = {f"attempt-a1/{ITEMS[1]}/labels"} if damage != "delete" else set()
    assert quarantined(store) == kept | {f"items/{ITEMS[1]}.json", "marker.json"}
    assert reader(store).phase_marker() is None
    repaired, computed = run(folder(store, "a2"))
    assert computed == [ITEMS[1]]
    assert repaired.content_digest == committed.content_digest
    assert reader(store).read_artefact(reader(store).manifest()[1].artefact("labels")) == body(ITEMS[1])


PARTS = {"core": b"c" * 70, "nothing": b"", "overlap-1": b"1" * 9, "overlap-2": b"2" * 33}


def test_small_artefacts_are_one_object_and_each_is_read_alone(store):
    """Kills parts that are cut elsewhere than they were joined, and a reader that takes the whole for a part."""
    phase = folder(store)
    phase.commit_item("sv-1", [phase.write_parts("sv-1", "labels", PARTS)], {})
    (artefact,) = reader(store).item_marker("sv-1").artefacts
    assert [key for key in store.keys_under(BASE) if "attempt-" in key] == [f"{BASE}/attempt-a1/sv-1/labels"]
    found = reader(store).parts(artefact)
    assert {name: reader(store).read_artefact(part) for name, part in found.items()} == PARTS
    assert list(found) == list(PARTS)
    assert reader(store).read_artefact(artefact).endswith(b"".join(PARTS.values()))
    assert reader(store).check_item("sv-1").artefacts == (artefact,)


@pytest.mark.parametrize("damage", ["flip", "cut", "lengthen", "delete", "swap", "index"])
def test_a_damaged_part_takes_its_item_back_and_no_sound_part_is_doubted(store, damage):
    """Kills a part that is believed because another one is whole, and a whole whose index alone is looked at."""
    phase = folder(store)
    phase.commit_item("sv-1", [phase.write_parts("sv-1", "labels", PARTS)], {})
    (artefact,) = reader(store).item_marker("sv-1").artefacts
    parts, whole = reader(store).parts(artefact), store.get(artefact.key)
    first, last, index = parts["core"], parts["overlap-2"], artefact.index
    bad = {
        "flip": whole[:-1] + b"3",
        "cut": whole[: index + 75],
        "lengthen": whole + b"x",
        "swap": whole[: index + 70] + b"2" * 33 + b"1" * 9,
        "index": whole.replace(b'"overlap-2",33', b'"overlap-2",32'),
    }
    store.delete(artefact.key) if damage == "delete" else store.put(artefact.key, bad[damage])
    if damage not in ("delete", "index"):
        assert reader(store).read_artefact(first) == PARTS["core"]
    wrong = {"lengthen": artefact, "index": artefact}.get(damage, last)
    with refused(IntegrityError, "sv-1", wrong.name):
        reader(store).read_artefact(wrong)
    assert not reader(store).done_items()
    assert quarantined(store) >= {"items/sv-1.json"}


def test_an_index_that_was_changed_is_not_followed(store):
    """Kills a reader that takes another part because the index says so."""
    phase = folder(store)
    phase.commit_item("sv-1", [phase.write_parts("sv-1", "labels", PARTS)], {})
    (artefact,) = reader(store).item_marker("sv-1").artefacts
    store.put(artefact.key, store.get(artefact.key).replace(b"overlap-1", b"overlap-3"))
    with refused(IntegrityError, "sv-1", "labels"):
        reader(store).parts(artefact)
    assert not reader(store).done_items()


def test_a_late_reader_of_the_damaged_artefact_does_not_undo_the_repair(store):
    """Kills repair that deletes whatever marker is there now."""
    run(folder(store))
    artefact = folder(store).item_marker(ITEMS[0]).artefact("labels")
    store.put(artefact.key, b"bad")
    with pytest.raises(IntegrityError):
        reader(store).read_artefact(artefact)
    repaired, _ = run(folder(store, "a2"))
    with pytest.raises(IntegrityError):
        reader(store).read_artefact(artefact)
    assert reader(store).phase_marker() == repaired
    assert reader(store).done_items() == frozenset(ITEMS)


def test_a_fault_of_the_wire_destroys_no_committed_item(tmp_path):
    """Kills quarantine at the first bad read: the second is whole, so nothing was wrong in the store."""

    class Flickering(FolderStore):
        bad_reads = 0

        def get(self, key: str) -> bytes:
            data = super().get(key)
            if self.bad_reads and "attempt-" in key:
                self.bad_reads -= 1
                return b"\x00" + data[1:]
            return data

    store = Flickering(tmp_path)
    run(folder(store))
    store.bad_reads = 1
    artefact = folder(store).item_marker(ITEMS[0]).artefact("labels")
    assert reader(store).read_artefact(artefact) == body(ITEMS[0])
    assert reader(store).phase_marker() is not None


def test_a_damaged_item_marker_is_set_aside_and_its_item_computed_anew(store):
    """Kills a resume that stumbles over the same torn marker for ever."""
    phase = folder(store)
    for item in ITEMS:
        phase.commit_item(item, [phase.write_artefact(item, "labels", body(item))], {})
    key = f"{BASE}/items/{ITEMS[0]}.json"
    store.put(key, b'{"torn')
    with refused(IntegrityError, store.address(f"{BASE}/items"), ITEMS[0], "1 of 3"):
        phase.item_markers(ITEMS)
    assert (store.exists(key), store.get(f"{BASE}/quarantine/items/{ITEMS[0]}.json")) == (False, b'{"torn')
    marker, computed = run(folder(store, "a2"))
    assert (marker.items, computed) == (3, [ITEMS[0]])


def test_a_reader_that_comes_after_the_one_that_found_damage_says_that_a_retry_mends_it(store):
    """Kills a run that ends for good by one bad byte: many tasks read a phase at once, one sets its marker aside.

    And a retry of what no retry mends: a phase that was never done, though one of its items was damaged.
    """
    phase = folder(store)
    phase.commit_item(ITEMS[0], [phase.write_artefact(ITEMS[0], "labels", body(ITEMS[0]))], {"voxels": 27})
    store.put(f"{BASE}/items/{ITEMS[0]}.json", b"{torn")
    with refused(IntegrityError, ITEMS[0]):
        reader(store).item_marker(ITEMS[0])
    with refused(PermanentError, "segment"):
        reader(store).manifest()
    marker, _ = run(folder(store))
    listed = reader(store).manifest()
    store.put(listed[0].artefact("labels").key, b"flipped")
    with refused(IntegrityError, ITEMS[0]):
        reader(store).read_artefact(listed[0].artefact("labels"))
    for late in (lambda: reader(store).manifest(), lambda: reader(store).manifest_of(ITEMS[:1])):
        with refused(IntegrityError, store.address(f"{BASE}/marker.json"), "segment"):
            late()
    again, computed = run(folder(store, "a2"))
    assert (again.content_digest, computed) == (marker.content_digest, [ITEMS[0]])


def test_a_marker_of_another_item_or_phase_is_not_believed(store):
    """Kills trust in a swapped object: whole, with a right checksum, under another key."""
    run(folder(store))
    for key, data in (
        (f"{BASE}/items/{ITEMS[0]}.json", store.get(f"{BASE}/items/{ITEMS[1]}.json")),
        ("medulla/phases/segment/key2/marker.json", store.get(f"{BASE}/marker.json")),
    ):
        store.put(key, data)
    with refused(IntegrityError, ITEMS[0], ITEMS[1]):
        folder(store).item_marker(ITEMS[0])
    with refused(IntegrityError, "key1", "key2"):
        PhaseFolder(store, "medulla", "segment", "key2", "").phase_marker()


@pytest.mark.fault("F14")
def test_markers_of_a_newer_release_are_refused_and_kept(store):
    """Kills deleting, as damaged, what a newer release wrote."""
    run(folder(store))
    for key, form in ((f"{BASE}/items/{ITEMS[0]}.json", ITEM), (f"{BASE}/marker.json", PHASE)):
        store.put(key, replace(form, schema=5).seal(form.open(store.get(key), key, key), key))
    for read in (lambda: folder(store).item_marker(ITEMS[0]), folder(store).phase_marker):
        with refused(PermanentError, "schema 5"):
            read()
    assert store.exists(f"{BASE}/marker.json")
    assert store.exists(f"{BASE}/items/{ITEMS[0]}.json")


@pytest.mark.parametrize("damage", ["flip", "delete", "swap"])
@pytest.mark.fault("F14")
def test_a_damaged_manifest_takes_back_the_phase_but_no_item(store, damage):
    """Kills recomputing all items because their list was lost, and a list that was edited."""
    committed, _ = run(folder(store))
    key = committed.manifest.key
    if damage == "delete":
        store.delete(key)
    else:
        data = store.get(key)
        store.put(key, data[:40] + bytes([data[40] ^ 1]) + data[41:] if damage == "flip" else b"another")
    with refused(IntegrityError, store.address(f"{BASE}/marker.json")):
        reader(store).manifest()
    kept = {key.removeprefix(f"{BASE}/")} if damage != "delete" else set()
    assert quarantined(store) == kept | {"marker.json"}
    assert reader(store).phase_marker() is None
    again, computed = run(folder(store, "a2"))
    assert computed == []
    assert again.content_digest == committed.content_digest
    assert len(reader(store).manifest()) == 3


@pytest.mark.parametrize("change", [{"items": 2}, {"content_digest": "0" * 64}])
@pytest.mark.fault("F14")
def test_a_phase_marker_that_does_not_fit_its_manifest_is_not_believed(store, change):
    """Kills a manifest taken as complete because its own checksum is right."""
    committed, _ = run(folder(store))
    store.put(f"{BASE}/marker.json", PHASE.seal(replace(committed, **change), f"{BASE}/marker.json"))
    with refused(IntegrityError, store.address(f"{BASE}/marker.json")):
        reader(store).manifest()
    assert quarantined(store) == {"marker.json"}, "the manifest is whole"
    assert run(folder(store, "a2"))[0].content_digest == committed.content_digest


def test_missing_items_are_named_before_anything_is_computed_from_them(store):
    """Kills a phase that goes on with 2 of 3 items (a subvolume silently missing in the output)."""
    phase = folder(store)
    phase.commit_item(ITEMS[0], [], {})
    with refused(IntegrityError, "2 of 3", ITEMS[1], ITEMS[2]):
        phase.item_markers(ITEMS)


def test_a_phase_takes_each_of_its_own_items_once(store):
    """Kills manifests that count an item twice or hold one of another phase key."""
    phase = folder(store)
    mine = phase.commit_item("sv-1", [], {})
    foreign = PhaseFolder(store, "medulla", "segment", "key2", "a").commit_item("sv-2", [], {})
    for markers, found in (([mine, mine], 1), ([mine, foreign], "sv-2")):
        with refused(PermanentError, "key1", found):
            phase.commit_phase(markers, {})
    assert phase.phase_marker() is None


def test_a_reader_writes_nothing(store):
    """Kills a reader that commits under no attempt."""
    phase = reader(store)
    for write in (
        lambda: phase.write_artefact("sv-1", "labels", b"x"),
        lambda: phase.commit_item("sv-1", [], {}),
        lambda: phase.commit_phase([], {}),
    ):
        with refused(PermanentError, store.address(f"{BASE}/marker.json")):
            write()
    assert list(store.keys_under("")) == []


def test_an_artefact_of_another_phase_is_not_read_nor_set_aside(store):
    """Kills quarantine in the wrong folder, and a marker that points out of its phase."""
    other = PhaseFolder(store, "medulla", "match", "key9", "a1")
    artefact = other.write_artefact("sv-1", "votes", b"x")
    with refused(PermanentError, artefact.key, "key1"):
        folder(store).read_artefact(artefact)


@pytest.mark.parametrize(
    ("names", "bad"),
    [
        (("..", "s", "k", "a"), ".."),
        (("d", "s/t", "k", "a"), "s/t"),
        (("d", "s", "", "a"), ""),
        (("d", "s", "k", "é"), "é"),
    ],
)
def test_names_that_are_no_names_are_refused_at_once(tmp_path, names, bad):
    """Kills path traversal through a dataset's or an attempt's name."""
    with refused(PermanentError, ascii(bad)):
        PhaseFolder(FolderStore(tmp_path), *names)


def test_an_item_taken_back_between_refusal_and_reading_is_committed_again(tmp_path):
    """Kills a None where a marker was promised: a reader set the winner aside at that very moment."""

    class Vanishing(FolderStore):
        def put_if_absent(self, key: str, data: bytes) -> bool:
            won = super().put_if_absent(key, data)
            if not won and key.endswith("sv-1.json"):
                self.delete(key)
            return won

    store = Vanishing(tmp_path)
    folder(store, "a1").commit_item("sv-1", [], {})
    assert folder(store, "a2").commit_item("sv-1", [], {}).attempt == "a2"


def test_an_empty_phase_can_be_done(store):
    """An ROI without a subvolume is a result: kills a division by, or a wait for, the first item."""
    marker = folder(store).commit_phase([], {})
    assert (marker.items, reader(store).manifest()) == (0, [])


def test_reading_a_marker_whose_bytes_are_of_this_release_is_exact(store):
    """Kills a folder that rewrites what it commits: the stored bytes are those of the marker."""
    marker = folder(store).commit_item("sv-1", [], {"n": 1})
    key = f"{BASE}/items/sv-1.json"
    assert store.get(key) == ITEM.seal(marker, key)
    with pytest.raises(ObjectMissingError):
        store.get(f"{BASE}/items/sv-2.json")


@pytest.mark.fault("F14")
def test_a_lost_item_marker_takes_back_the_phase_marker_and_only_that_item_is_computed(store):
    """Kills a run that no retry can mend: its phase counts as done, and an item of it is gone."""
    committed, _ = run(folder(store))
    store.delete(f"{BASE}/items/{ITEMS[1]}.json")
    with refused(IntegrityError, ITEMS[1]):
        reader(store).item_markers(ITEMS)
    again, computed = run(folder(store, "a2"))
    assert computed == [ITEMS[1]]
    assert again.content_digest == committed.content_digest
