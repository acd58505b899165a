"""Housekeeping of a store: after runs of changing parameters it holds what is referenced, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusals import refused
from tests.tasks.tidied_store import AT_ONCE, DATASET, NoNodes, Runs, tidied

from emseg.config.housekeeping import HousekeepingPolicy
from emseg.config.runspec import PinnedGroundTruth, PinnedRelease
from emseg.engine.report import StageReport
from emseg.errors import PermanentError, TransientError
from emseg.phases.labelmaps import of_served
from emseg.phases.resolve.artefacts import LEDGER, parts_of_result
from emseg.phases.run_context import RunContext
from emseg.publish import roll_back, served_release
from emseg.store import FolderStore, SlotBoard, StoredObject
from emseg.synthetic import make_volume
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.tidy import TidyReport
from emseg.tasks.tidy.broom import Broom
from emseg.tasks.tidy.references import IN_FLIGHT

LAST_ONE = HousekeepingPolicy(keep_runs=1, older_than_days=0)


@pytest.fixture(autouse=True, scope="module")
def not_brought_to_the_disk() -> Iterator[None]:
    """These tests write thousands of small objects and cut no power: they need not wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def grayscale() -> np.ndarray:
    return make_volume((64, 64, 128), seed=3).grayscale


@pytest.fixture
def runs(tmp_path: Path, grayscale: np.ndarray) -> Runs:
    return Runs(tmp_path, grayscale)


@dataclass(frozen=True)
class Two:
    """A store with two finished runs of different segmentations, the second one last."""

    runs: Runs
    old: RunContext[Any]
    kept: RunContext[Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, grayscale: np.ndarray) -> Two:
    runs = Runs(tmp_path_factory.mktemp("made"), grayscale)
    old = runs.finished(runs.pinned("old", threshold=0.3))
    return Two(runs, old, runs.finished(runs.pinned("kept", threshold=0.6)))


@pytest.fixture
def two(made: Two, tmp_path: Path) -> Two:
    """The two runs in a store of this test alone."""
    runs = made.runs.copied(tmp_path / "store")
    return Two(runs, runs.here(made.old), runs.here(made.kept))


def whys(report: TidyReport) -> dict[tuple[str, str], int]:
    return {(what, why): line.objects for _, what, why, line in report.broom.lines()}


def test_after_twenty_runs_the_store_holds_what_is_referenced_and_no_more(runs):
    """Kills a sweep by age alone, one that spares what no marker names, and one that takes the segmentation of an old
    run which a kept run reused. The oracle reads markers as plain JSON."""
    made = []
    for number in range(20):
        run = runs.pinned(f"run-{number:02d}", threshold=0.3 + 0.1 * (number // 5), overlap=1e4 * (1 + number % 5))
        made.append(runs.finished(run))
        runs.store.put(f"{DATASET}/phases/segment/{run.keys['segment']}/attempt-dead/sv-00000001/labels", b"left")
        runs.store.put(f"{DATASET}/phases/segment/{run.keys['segment']}/quarantine/items/sv-00000001.json", b"bad")
        runs.store.put(f"{DATASET}/phases/match/{run.keys['match']}/manifests/dead-0123456789abcdef", b"old")
        runs.store.put(f"{DATASET}/leases/emseg-{run.keys['write'][:16]}.json", b"{}")
        if number in (2, 7):
            runs.published(run)
    kept = [made[2], made[7], made[18], made[19]]
    wanted = runs.named(*kept) | runs.keys(f"{DATASET}/releases")
    wanted |= {key for run in kept for key in runs.keys(f"{DATASET}/runs/{run.spec.run}")}
    wanted |= {f"{DATASET}/leases/emseg-{run.keys['write'][:16]}.json" for run in kept}
    before = runs.keys()
    shown = tidied(runs.store, apply=False)
    assert runs.keys() == before
    done = tidied(runs.store)
    assert runs.keys() == wanted
    assert done.totals() == shown.totals()
    assert done.totals()["objects"] == len(before - wanted)
    assert whys(done) == whys(shown)
    assert done.left_alone == []
    assert done.kept[DATASET] == {
        "run-02": "release 1",
        "run-07": "release 2",
        "run-18": "one of the last 2 runs",
        "run-19": "one of the last 2 runs",
    }
    assert tidied(runs.store).totals() == {"objects": 0, "bytes": 0}


def test_what_a_release_needs_stays_readable_and_can_be_stitched_again(two):
    """Kills a sweep that keeps the newest only: the oldest release is explained, restitched and served again."""
    runs, old = two.runs, two.old
    first = runs.published(old)
    runs.published(two.kept)
    tidied(runs.store, HousekeepingPolicy(keep_runs=0, older_than_days=0))
    again = RunFolder(runs.store, DATASET, "old").pinned_context(old.open_services)
    (marker,) = parts_of_result(again)
    assert LEDGER.read(again.folder("resolve"), marker).num_rows > 0
    assert dict(runs.folder(old).files())["report.html"]
    assert again.folder("write").manifest()
    restitched = runs.stitched(runs.pinned("restitched", threshold=0.3, overlap=7e4))
    assert {m.attempt for m in restitched.folder("match").manifest()} == {"of-old"}
    assert roll_back(runs.store, DATASET, 1, "ana", "axons are cut").uuid == first.uuid
    assert served_release(runs.store, DATASET).number == 3
    assert tidied(runs.store).left_alone == []


def test_what_a_run_measured_of_the_served_release_stays_with_the_run(two):
    """Kills a sweep that knows the keys of the run's own result only: its gate would measure the release again."""
    runs, release = two.runs, two.runs.published(two.old)
    served = PinnedRelease(
        number=1, root="local", node=release.uuid, instance="segmentation", fingerprint=release.fingerprint
    )
    changed = {"run": "newest", "served": served, "groundtruth": PinnedGroundTruth(node="ab", instance="tight")}
    run = replace(two.kept, spec=two.kept.spec.model_copy(update=changed))
    RunFolder(runs.store, DATASET, "newest").begin(run.spec)
    runs.judged(run)
    folder = of_served(run).folder("evaluate")
    folder.commit_phase([folder.commit_item("one", [], {})], {})
    tidied(runs.store, LAST_ONE)
    assert folder.manifest()
    runs.store.delete(f"{DATASET}/runs/newest/spec.json")
    tidied(runs.store, LAST_ONE)
    assert folder.phase_marker() is None


def test_what_is_young_stays_whoever_names_it(two):
    """Kills an age by the clock of this computer or in other units, and a strict rule of the number of runs."""
    runs = two.runs
    before = runs.keys()
    assert tidied(runs.store, HousekeepingPolicy(keep_runs=1, older_than_days=1)).totals()["objects"] == 0
    runs.age(0.9)
    assert tidied(runs.store, HousekeepingPolicy(keep_runs=1, older_than_days=1)).totals()["objects"] == 0
    assert runs.keys() == before
    runs.age(0.2)
    report = tidied(runs.store, HousekeepingPolicy(keep_runs=1, older_than_days=1))
    assert report.totals()["objects"] > 0
    assert set(report.kept[DATASET].values()) == {"one of the last 1 runs"}


def test_the_clock_of_this_computer_does_not_count(two, monkeypatch):
    """Kills `datetime.now()`: a computer that is a year ahead would remove what was written today."""
    import time

    runs = two.runs
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert tidied(runs.store, HousekeepingPolicy(keep_runs=1, older_than_days=1)).totals()["objects"] == 0


def test_a_run_that_may_be_going_on_keeps_all_that_it_has_written(two):
    """Kills a sweep that takes the artefacts of an item which is being computed, and the spec under a waiting task."""
    runs = two.runs
    going_on = runs.pinned("going-on", threshold=0.8)
    private = going_on.folder("segment").write_artefact("sv-00000000", "labels", b"half of an item")
    runs.finished(runs.pinned("done", threshold=0.3))
    assert tidied(runs.store, LAST_ONE).kept[DATASET]["going-on"] == "it may be going on"
    assert runs.store.exists(private.key)
    runs.finished(going_on)
    tidied(runs.store, LAST_ONE)
    assert not runs.store.exists(private.key)


def test_a_run_that_showed_no_sign_of_life_for_long_is_over(runs):
    """Kills the leavings of a killed run that stay for ever."""
    dead = runs.pinned("dead", threshold=0.8)
    dead.folder("segment").write_artefact("sv-00000000", "labels", b"half of an item")
    runs.age(IN_FLIGHT.days + 1)
    done = runs.finished(runs.pinned("done", threshold=0.3))
    tidied(runs.store, LAST_ONE)
    assert runs.keys(f"{DATASET}/phases/segment") == {k for k in runs.named(done) if "/segment/" in k}
    assert runs.keys(f"{DATASET}/runs/dead") == set()


class Dying(FolderStore):
    """A folder whose `stop_at`-th delete is the last thing that its process does."""

    def __init__(self, root: Path, stop_at: int) -> None:
        super().__init__(root)
        self._deletes, self._stop_at = count(), stop_at

    def delete(self, key: str) -> None:
        if not key.startswith("probe/") and next(self._deletes) >= self._stop_at:
            raise TransientError("deleting", key, "killed", "again")
        super().delete(key)


@pytest.mark.parametrize("stop_at", [0, 1, 3, 9, 20])
def test_a_sweep_that_was_killed_has_done_no_harm_and_the_next_one_ends_it(two, stop_at):
    """Kills an order in which a marker outlives what it names, or a spec the reports that say what was given up."""
    runs, old, kept = two.runs, two.old, two.kept
    with refused(TransientError, "killed"):
        tidied(Dying(runs.root, stop_at), LAST_ONE)
    for phase in ("segment", "match", "resolve"):
        folder = old.folder(phase)
        if folder.phase_marker() is not None:
            for marker in folder.manifest():
                assert all(folder.read_artefact(each) for each in marker.artefacts)
    assert runs.folder(old).has("spec") or not runs.keys(f"{DATASET}/phases/segment/{old.keys['segment']}")
    tidied(runs.store, LAST_ONE)
    assert runs.keys(f"{DATASET}/phases") == runs.named(kept)
    assert runs.keys(f"{DATASET}/runs/old") == set()


def test_two_sweeps_at_once_do_no_harm(two):
    runs = two.runs
    kept = runs.finished(runs.pinned("third", threshold=0.3, overlap=1e4))
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: tidied(FolderStore(runs.root), LAST_ONE), range(2)))
    assert [report.left_alone for report in reports] == [[], []]
    assert runs.keys(f"{DATASET}/phases") == runs.named(kept)


class Interrupted(FolderStore):
    """A folder in which `happens` is called once, before the first delete of a key that holds `where`."""

    def __init__(self, root: Path, where: str, happens: Any) -> None:
        super().__init__(root)
        self._where, self._happens = where, happens

    def delete(self, key: str) -> None:
        happens, self._happens = (self._happens, None) if self._where in key else (None, self._happens)
        if happens:
            happens()
        super().delete(key)


@pytest.mark.parametrize("where", ["marker.json", "/items/", "/attempt-"])
def test_a_run_that_takes_an_old_key_up_during_the_sweep_finishes(two, where):
    """Kills a sweep that reads once what is referenced: the new run would find markers whose artefacts are gone."""
    runs, old = two.runs, two.old
    bytes_of = {m.item: [a.sha256 for a in m.artefacts] for m in old.folder("segment").manifest()}
    started = []
    store = Interrupted(runs.root, where, lambda: started.append(runs.pinned("new", threshold=0.3)))
    tidied(store, LAST_ONE)
    (new,) = started
    assert new.keys["segment"] == old.keys["segment"]
    new = runs.finished(new)
    assert {m.item: [a.sha256 for a in m.artefacts] for m in new.folder("segment").manifest()} == bytes_of
    for phase in ("segment", "match", "resolve"):
        for marker in new.folder(phase).manifest():
            assert all(new.folder(phase).read_artefact(each) for each in marker.artefacts)


@pytest.mark.parametrize(
    "document", ["runs/kept/spec.json", "runs/kept/report-segment.json", "releases/by-number/00000001.json"]
)
def test_a_dataset_with_a_document_that_cannot_be_read_is_left_alone_and_told(two, document):
    """Kills a sweep that takes a damaged spec for a run that names nothing."""
    runs, kept = two.runs, two.kept
    runs.published(kept)
    runs.store.put(f"{DATASET}/{document}", b"{")
    before = runs.keys()
    report = tidied(runs.store, LAST_ONE)
    assert runs.keys() == before
    assert len(report.left_alone) == 1
    assert DATASET in report.left_alone[0]
    assert "LEFT ALONE" in report.markdown()
    with refused(PermanentError, DATASET):
        report.require_complete()


def test_a_run_whose_spec_is_damaged_is_removed_as_the_error_says(two):
    """Kills a remedy after which housekeeping is refused as before."""
    runs = two.runs
    runs.store.put(f"{DATASET}/runs/old/spec.json", b"{")
    (told,) = tidied(runs.store, LAST_ONE).left_alone
    assert f"{DATASET}/runs/old/spec.json" in told
    assert "remove its folder runs/RUN from the store" in told
    for key in runs.keys(f"{DATASET}/runs/old"):
        runs.store.delete(key)
    assert tidied(runs.store, LAST_ONE).left_alone == []
    assert two.kept.folder("segment").manifest()


@pytest.mark.parametrize("lost", ["releases/by-number/00000001.json", "releases/by-number/00000002.json"])
def test_a_lost_record_of_a_release_stops_the_sweep_of_its_dataset(two, lost):
    """Kills taking what only the lost record names for unused, be it the last or one before."""
    runs = two.runs
    runs.published(two.old)
    runs.published(two.kept)
    runs.store.delete(f"{DATASET}/{lost}")
    before = runs.keys()
    assert len(tidied(runs.store, LAST_ONE).left_alone) == 1
    assert runs.keys() == before


def test_a_phase_of_a_release_without_its_marker_is_left_alone(two):
    """Kills a sweep of the very artefacts from which a lost marker can be made again."""
    runs, run = two.runs, two.old
    runs.published(run)
    base = f"{DATASET}/phases/write/{run.keys['write']}"
    for key in (f"{base}/marker.json", f"{base}/items/one.json"):
        runs.store.delete(key)
    before = runs.keys()
    (told,) = tidied(runs.store).left_alone
    assert run.keys["write"] in told
    assert runs.keys() == before


def test_a_result_that_dvid_has_committed_keeps_its_markers_without_a_record(two):
    """Kills the case of a publisher that died between commit and record: no run could ever write that result again."""
    runs, old = two.runs, two.old
    tidied(runs.store, LAST_ONE, server=NoNodes(old.keys["write"]))
    assert old.folder("write").manifest()
    assert old.folder("segment").phase_marker() is None


def test_the_marker_of_what_was_given_up_stays_with_the_run_that_did(two):
    """Kills a provisional marker that is swept from under its run, and one that outlives every run that wants it."""
    runs, kept = two.runs, two.kept
    folder = kept.folder("segment")
    by_item = {marker.item: marker for marker in folder.manifest()}
    without_first, without_last = (
        folder.without([item]).commit_phase([m for m in by_item.values() if m.item != item], {})
        for item in (min(by_item), max(by_item))
    )
    report = runs.folder(kept).read("report-segment", StageReport)
    gave_up = report.model_copy(update={"given_up": {"segment": {min(by_item): "it failed"}}})
    runs.folder(kept).write("report-segment", gave_up)
    runs.judged(kept)
    assert tidied(runs.store, AT_ONCE).left_alone == []
    assert folder.without([min(by_item)]).phase_marker() == without_first
    assert folder.without([max(by_item)]).phase_marker() is None
    assert len(folder.without([min(by_item)]).manifest()) == len(by_item) - 1
    assert not runs.store.exists(without_last.manifest.key)
    assert len(folder.manifest()) == len(by_item)


class Counting(FolderStore):
    """A folder that remembers how many objects were listed ahead of the deletes, at most."""

    listed = deleted = most = 0

    def objects_under(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        for each in super().objects_under(prefix, after):
            self.listed += 1
            self.most = max(self.most, self.listed - self.deleted)
            yield each

    def delete(self, key: str) -> None:
        super().delete(key)
        self.deleted += 1


def test_a_sweep_holds_no_more_than_a_batch_of_a_long_listing(tmp_path):
    """Kills a list of all keys of a bucket in memory."""
    store = Counting(tmp_path)
    for number in range(2500):
        store.put(f"dead/{number:05d}", b"x")
    broom = Broom(store, dry_run=False)
    broom.sweep(DATASET, "artefact", "no marker", "dead", store.objects_under("dead"))
    assert (store.listed, store.deleted) == (2500, 2500)
    assert store.most <= 1000


def test_keys_that_the_code_of_the_run_wrote_down_count_too(two):
    """Kills trust in the keys that this code computes: a later version may compute others from the same spec."""
    runs, run = two.runs, two.kept
    folder = runs.folder(run)
    report = folder.read("report-segment", StageReport)
    other = replace(run.folder("segment"), phase_key="0" * 32)
    marker = other.commit_item("sv-00000000", [other.write_artefact("sv-00000000", "labels", b"x")], {})
    other.commit_phase([marker], {})
    (summary,) = report.phases
    elsewhere = summary.model_copy(update={"key": other.phase_key})
    folder.write("report-segment", report.model_copy(update={"phases": (elsewhere,)}))
    tidied(runs.store, AT_ONCE)
    assert other.manifest() == [marker]


def test_what_killed_processes_left_beside_the_datasets_goes_when_it_is_old(runs):
    runs.store.put("probe/0123", b"fourth")
    runs.store.put("models/feed/model.json", b"{}")
    runs.age(IN_FLIGHT.days - 1)
    tidied(runs.store)
    assert runs.keys() == {"probe/0123", "models/feed/model.json"}
    runs.age(2)
    report = tidied(runs.store)
    assert runs.keys() == {"models/feed/model.json"}
    assert "feed" in report.listed[0]


def test_request_slots_stay_while_anybody_uses_them(tmp_path):
    """Kills a sweep that takes a held slot away, and boards of servers that are no more for ever."""
    runs = Runs(tmp_path, np.zeros((8, 8, 8), np.uint8))
    gone, living = (SlotBoard(runs.store, f"http://{name}.example.org", 4, "a/1") for name in ("gone", "living"))
    for board in (gone, living):
        assert board.take(0, None)
        board.wait()
    gone.give_back(0, gone.look().held[0])
    runs.age(IN_FLIGHT.days + 1)
    (held,) = living.look().held.values()
    assert living.take(0, held)
    assert whys(tidied(runs.store, apply=False))["request slot", "nobody has used it lately"] == 3
    tidied(runs.store)
    assert gone.look().free == dict.fromkeys(range(4))
    assert living.look().held.keys() == {0}
    assert len(runs.keys("requests")) == 1


class Taken(FolderStore):
    """A folder whose slot is taken between the listing and what follows from it."""

    def versions_under(self, prefix: str):
        for each, version in super().versions_under(prefix):
            self.put(each.key, b"held")
            yield each, version


def test_a_slot_that_is_taken_at_the_moment_of_the_sweep_is_left(tmp_path):
    """Kills a delete that goes by the listing: two processes would then hold one slot."""
    runs = Runs(tmp_path, np.zeros((8, 8, 8), np.uint8))
    board = SlotBoard(runs.store, "http://dvid.example.org", 1, "a/1")
    assert board.take(0, None)
    board.give_back(0, board.look().held[0])
    runs.age(IN_FLIGHT.days + 1)
    tidied(Taken(tmp_path))
    assert board.look().held.keys() == {0}


def test_ingestions_and_evaluations_go_when_nothing_of_them_is_young(runs):
    """Kills a sweep that takes them for a dataset, and one that removes the markers of a running one."""
    old = {f"ingestions/phases/ingest/0123/{name}" for name in ("marker.json", "items/br-00000000.json")}
    old |= {f"evaluations/{key}" for key in ("phases/evaluate/0123/marker.json", "runs/run-1/evaluation.json")}
    old |= {"ingestions/runs/run-1/ingestion.json", "alerts/runs/run-1/alerts/0123.json"}
    young, turn = "ingestions/phases/ingest/4567/items/br-00000001.json", "ingestions/targets/feed-gray.json"
    for key in (*old, turn, "ingestions/phases/ingest/4567/items/br-00000000.json"):
        runs.store.put(key, b"{}")
    runs.age(IN_FLIGHT.days + 1)
    runs.store.put(young, b"{}")
    report = tidied(runs.store)
    assert runs.keys() == {young, young.replace("1.json", "0.json"), turn}
    assert report.left_alone == []


def test_datasets_do_not_disturb_each_other_and_one_alone_can_be_chosen(two):
    """Kills a sweep of another dataset than the one named."""
    from emseg.tasks.tidy import tidy

    runs = two.runs
    runs.store.put("other/phases/segment/0123/attempt-dead/sv-00000000/labels", b"left")
    services: Any = type("S", (), {"store": runs.store, "server": NoNodes()})
    tidy(services, LAST_ONE, dry_run=False, dataset="other")
    assert runs.keys("other") == set()
    assert RunFolder(runs.store, DATASET, "old").has("spec")
