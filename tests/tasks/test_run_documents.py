"""The documents of a run folder: none is believed that is damaged, from another run, or of another release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.refusals import refused
from tests.running import a_spec

from emseg.config import RunSpec
from emseg.config.edits import Edit, EditKind, Edits
from emseg.engine.report import StageReport
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box
from emseg.phases.edits import change_edits, read_edits
from emseg.quality import Verdict
from emseg.store import FolderStore, ObjectMissingError
from emseg.tasks.run_folder import RunFolder

OLD = Path(__file__).parents[1] / "data" / "stored_before"
SPEC = a_spec(Box.of_shape((64, 64, 128)))


def verdict(run: str, *reasons: str) -> Verdict:
    given = {"fingerprint": "f1", "dataset": "brain", "run": run, "figures": {}, "rows": ()}
    return Verdict(passed=not reasons, reasons=reasons, **given)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(FolderStore(tmp_path), "brain", "run-1")
    folder.begin(SPEC)
    folder.write("verdict", verdict("run-1", "too many splits"))
    return folder


def key(name: str, run: str = "run-1") -> str:
    return f"brain/runs/{run}/{name}.json"


def test_no_flipped_bit_of_a_spec_or_verdict_is_believed(folder):
    """Reproduced before: one flipped bit in `spec.json` published a result that the gate had refused."""
    for name, kind, error in (("spec", RunSpec, PermanentError), ("verdict", Verdict, IntegrityError)):
        data, written = folder.store.get(key(name)), folder.read(name, kind)
        for at in range(0, len(data) * 8, 5):
            bad = bytearray(data)
            bad[at // 8] ^= 1 << at % 8
            folder.store.put(key(name), bytes(bad))
            try:
                found = folder.read(name, kind)
            except error:
                continue
            assert found == written
        folder.store.put(key(name), data)


def test_a_damaged_spec_is_permanent_and_clearing_pin_mends_it(folder):
    """Kills three retries that read the same spec, and a `pin` that keeps the document it finds."""
    folder.store.put(key("spec"), b"{half")
    with refused(PermanentError, folder.store.address(key("spec")), "task `pin`"):
        folder.context("attempt", lambda: None, before="segment")
    folder.begin(SPEC)
    assert folder.pinned() == SPEC


def test_the_verdict_of_another_run_is_not_believed(folder):
    """Kills trust in a swap: a whole verdict, of a run that passed."""
    passed = RunFolder(folder.store, "brain", "run-2")
    passed.write("verdict", verdict("run-2"))
    folder.store.put(key("verdict"), folder.store.get(key("verdict", "run-2")))
    with refused(IntegrityError, key("verdict", "run-2")):
        folder.read("verdict", Verdict)


@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_a_verdict_is_made_anew_where_it_is_damaged_or_lost(folder, damage):
    """Kills a publication that no retry can mend."""
    data = folder.store.get(key("verdict"))
    folder.store.delete(key("verdict"))
    if damage == "flip":
        folder.store.put(key("verdict"), data.replace(b"too many", b"too manz"))
    assert folder.read_or_made("verdict", Verdict, lambda: verdict("run-1", "again")).reasons == ("again",)


def test_a_run_that_nobody_knows_is_called_that_by_whoever_asks_for_it(folder):
    """Kills the advice to clear the task of a stage, given to whoever misspells a run."""
    nobody = RunFolder(folder.store, folder.dataset, "nobody")
    for ask in (nobody.pinned, lambda: nobody.context("", object), lambda: nobody.pinned_context(object)):
        with refused(ObjectMissingError, "run nobody", "no such run", f"emseg runs {folder.dataset}"):
            ask()


def test_what_is_missing_names_the_task_that_writes_it(folder):
    with refused(ObjectMissingError, folder.store.address(key("report-segment")), "task `segment`"):
        folder.read("report-segment", StageReport)


@pytest.mark.parametrize(
    ("name", "kind", "task", "or_else"),
    [
        ("spec", RunSpec, "pin", "remove its folder runs/RUN"),
        ("verdict", Verdict, "gate", "--again RUN"),
        ("report-segment", StageReport, "segment", "--again RUN"),
    ],
)
def test_documents_of_the_release_before_are_refused_by_their_number(folder, name, kind, task, or_else):
    """Kills reading what has no seal, in which one flipped bit decides otherwise."""
    folder.store.put(key(name), (OLD / f"{name.partition('-')[0]}.json").read_bytes())
    with refused(PermanentError, folder.store.address(key(name)), "schema 1", f"task `{task}`", or_else):
        folder.read(name, kind)


ONE, OTHER = (Edit(kind=EditKind.JOIN, first=16777219, second=second) for second in (5, 6))


def decided(store, *edits: Edit) -> None:
    for edit in edits:
        change_edits(store, "brain", "key1", lambda known, edit=edit: (*known, edit))


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_what_a_person_decided_survives_damage_and_loss_of_its_object(tmp_path, damage):
    """No phase computes a decision again. Kills edits that are forgotten because their object is not there."""
    store, where = FolderStore(tmp_path), "brain/edits/key1.json"
    decided(store, ONE)
    data = store.get(where)
    store.delete(where)
    if damage != "delete":
        store.put(where, data[:-7] if damage == "cut" else data.replace(b"16777219", b"16777218"))
    assert read_edits(store, "brain", "key1") == Edits(edits=(ONE,))
    assert store.get(where) == data, "the object is mended, so that the copy is not the only one for long"
    decided(store, OTHER)
    assert read_edits(store, "brain", "key1") == Edits(edits=(ONE, OTHER))


def test_a_vote_that_was_taken_back_under_its_former_name_is_still_taken_back():
    """Kills a decision that is damage to a release which has another word for it."""
    former = ONE.model_dump(mode="json") | {"kind": "drop"}
    assert Edit.model_validate_json(json.dumps(former)) == ONE.model_copy(update={"kind": EditKind.UNDO})


def test_edits_without_a_whole_copy_are_refused_and_never_taken_for_none(tmp_path):
    store = FolderStore(tmp_path)
    assert read_edits(store, "brain", "key1") == Edits()
    decided(store, ONE)
    for where in ("brain/edits/key1.json", "brain/edits-copy/key1.json"):
        store.put(where, b"{")
    with refused(PermanentError, store.address("brain/edits/key1.json"), store.address("brain/edits-copy/key1.json")):
        read_edits(store, "brain", "key1")
    store.put("brain/edits/key1.json", (OLD / "edits.json").read_bytes())
    with refused(PermanentError, "schema 1"):
        read_edits(store, "brain", "key1")
