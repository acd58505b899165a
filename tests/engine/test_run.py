"""The engine of all phases: what is missing is computed, what is there is not, and errors decide about a retry."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.engine.items import InProcess
from emseg.engine.run import PhaseRun, run_phase
from emseg.errors import IntegrityError, NoRoomError, PermanentError, StepError, TransientError
from emseg.store import FolderStore, ItemMarker, LeaseHeldError, PhaseFolder

ITEMS = ("a", "b", "c", "d")


class Doubling:
    """Work that writes its item's name twice; `broken` items raise."""

    def __init__(self, folder: PhaseFolder, broken: dict[str, Exception] | None = None) -> None:
        self.folder, self.broken, self.done = folder, broken or {}, []

    def __call__(self, item: str) -> ItemMarker:
        if item in self.broken:
            raise self.broken[item]
        self.done.append(item)
        artefact = self.folder.write_artefact(item, "twice", (item * 2).encode())
        return self.folder.commit_item(item, [artefact], {"letters": 2})


def folder_in(path: Path, attempt: str) -> PhaseFolder:
    return PhaseFolder(FolderStore(path), "brain", "segment", "0" * 32, attempt)


def phase_of(work: Doubling) -> PhaseRun:
    return PhaseRun("segment", ITEMS, lambda: work, lambda markers: {"letters": 2 * len(markers)})


def failing(tmp_path: Path, **broken: Exception):
    folder = folder_in(tmp_path, "first")
    work = Doubling(folder, broken)
    with pytest.raises(Exception) as caught:
        run_phase(phase_of(work), folder, InProcess())
    return caught.value, work


def test_a_retry_computes_what_failed_and_nothing_else(tmp_path):
    """Kills a retry that starts from scratch, and a failure that loses the items that were done."""
    error, first = failing(tmp_path, b=TransientError("reading", "b", "HTTP 503", "again"))
    assert isinstance(error, TransientError)
    assert first.done == ["a", "c", "d"]
    assert folder_in(tmp_path, "look").phase_marker() is None

    folder = folder_in(tmp_path, "second")
    second = Doubling(folder)
    summary = run_phase(phase_of(second), folder, InProcess()).summary
    assert second.done == ["b"]
    assert (summary.items_done, summary.items_reused) == (1, 3)
    attempts = {marker.item: marker.attempt for marker in folder.manifest()}
    assert attempts == {"a": "first", "b": "second", "c": "first", "d": "first"}


def test_a_phase_that_is_done_runs_nothing_and_has_the_same_digest(tmp_path):
    folder = folder_in(tmp_path, "first")
    digest = run_phase(phase_of(Doubling(folder)), folder, InProcess()).summary.content_digest
    again = folder_in(tmp_path, "second")
    work = Doubling(again)
    summary = run_phase(phase_of(work), again, InProcess()).summary
    assert (work.done, summary.items_reused, summary.content_digest) == ([], 4, digest)


def test_the_digest_does_not_depend_on_who_computed_what(tmp_path):
    undisturbed = folder_in(tmp_path / "one", "only")
    digest = run_phase(phase_of(Doubling(undisturbed)), undisturbed, InProcess()).summary.content_digest
    failing(tmp_path / "two", c=TransientError("reading", "c", "HTTP 503", "again"))
    resumed = folder_in(tmp_path / "two", "second")
    assert run_phase(phase_of(Doubling(resumed)), resumed, InProcess()).summary.content_digest == digest


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (TransientError("doing", "on", "found", "remedy"), TransientError),
        (LeaseHeldError("doing", "on", "found", "remedy"), TransientError),
        (IntegrityError("doing", "on", "found", "remedy"), IntegrityError),
        (PermanentError("doing", "on", "found", "remedy"), PermanentError),
        (StepError("doing", "on", "found", "remedy"), PermanentError),
        (ZeroDivisionError("a bug in a step"), PermanentError),
        (MemoryError(), TransientError),
        (ConnectionResetError(), TransientError),
        (OSError(errno.ENOSPC, "No space left on device"), NoRoomError),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), NoRoomError),
    ],
)
def test_the_class_of_the_error_decides_about_a_retry(tmp_path, broken, expected):
    """Kills subclasses that are taken for something else, and retries of a bug."""
    error, _ = failing(tmp_path, b=broken)
    assert type(error) is expected


def test_one_permanent_failure_among_transient_ones_stops_the_retries_and_names_its_item(tmp_path):
    error, _ = failing(
        tmp_path,
        a=TransientError("reading", "a", "HTTP 503", "again"),
        c=PermanentError("checking", "c", "impossible", "correct it"),
    )
    assert type(error) is PermanentError
    assert "2 of 4" in error.on
    assert error.on.split()[-1] == "c"
    assert "impossible" in error.found


def test_a_bug_in_a_step_is_shown_with_its_file(tmp_path):
    error, _ = failing(tmp_path, b=ZeroDivisionError("a bug in a step"))
    assert "a bug in a step" in str(error)
    assert Path(__file__).name in str(error)


def test_no_phase_marker_without_the_finish(tmp_path):
    """Kills a marker that is written before the one step that must come after all items."""
    folder = folder_in(tmp_path, "first")

    def unfinished(_):
        raise TransientError("finishing", "the phase", "HTTP 503", "again")

    phase = PhaseRun("segment", ITEMS, lambda: Doubling(folder), unfinished)
    with refused(TransientError, "finishing", "the phase"):
        run_phase(phase, folder, InProcess())
    assert folder.phase_marker() is None
    assert folder.done_items() == frozenset(ITEMS)


MANY = tuple(f"sv-{number:08d}" for number in range(40))


def giving_up(work: Doubling, most: int) -> PhaseRun:
    return PhaseRun("segment", MANY, lambda: work, lambda _: {}, most)


def bad(item: str) -> StepError:
    return StepError("running a segmentation step", item, f"raised ValueError: voxel {item}", "Mend the step")


@pytest.mark.fault("F16")
def test_few_failures_are_given_up_and_the_rest_goes_on(tmp_path):
    """Kills a run that one bad subvolume stops, and a failed one that counts as done."""
    folder = folder_in(tmp_path, "first")
    work = Doubling(folder, {MANY[3]: bad(MANY[3]), MANY[30]: bad(MANY[30])})
    result = run_phase(giving_up(work, most=2), folder, InProcess())
    assert set(result.given_up) == {MANY[3], MANY[30]}
    assert "raised ValueError: voxel sv-00000003" in result.given_up[MANY[3]]
    assert (result.summary.items_done, result.summary.items_given_up) == (38, 2)
    assert folder.done_items() == frozenset(MANY) - set(result.given_up)
    assert folder.phase_marker() is None, "what was given up must satisfy no other run"
    assert {marker.item for marker in folder.without(result.given_up).manifest()} == folder.done_items()


@pytest.mark.fault("F15")
def test_an_item_that_found_no_room_is_not_given_up_and_a_retry_does_it_when_there_is_room(tmp_path):
    """Kills a full disk that empties subvolumes, and one that fails three retries in a row."""
    folder = folder_in(tmp_path, "first")
    full = OSError(errno.ENOSPC, "No space left on device", "/scratch/spill")
    work = Doubling(folder, {MANY[3]: full, MANY[30]: bad(MANY[30])})
    with refused(NoRoomError, "/scratch/spill", "No space left on device"):
        run_phase(giving_up(work, most=2), folder, InProcess())
    again = Doubling(folder_in(tmp_path, "second"), {MANY[30]: bad(MANY[30])})
    result = run_phase(giving_up(again, most=2), again.folder, InProcess())
    assert again.done == [MANY[3]]
    assert set(result.given_up) == {MANY[30]}


def test_a_limit_of_memory_is_told_and_want_of_memory_may_pass(monkeypatch):
    """Kills retries below a limit that stays, and a stop because the machine was busy."""
    assert NoRoomError.of(MemoryError(), "computing", "sv-1") is None
    monkeypatch.setattr(resource, "getrlimit", lambda _: (3 << 30, 3 << 30))
    found = NoRoomError.of(MemoryError("Unable to allocate 4.00 GiB"), "computing", "sv-1")
    assert "3072 MiB" in str(found)
    assert "4.00 GiB" in str(found)
    assert NoRoomError.of(OSError(errno.ENOMEM, "Cannot allocate memory"), "computing", "sv-1") is not None
    assert NoRoomError.of(ConnectionResetError(), "computing", "sv-1") is None


def test_what_was_given_up_satisfies_its_own_run_and_no_other(tmp_path):
    """Kills an empty subvolume that a run with another limit, or with a healthy step, takes for a result."""
    first = folder_in(tmp_path, "first")
    given_up = run_phase(giving_up(Doubling(first, {MANY[3]: bad(MANY[3])}), most=1), first, InProcess()).given_up

    same_run = Doubling(folder_in(tmp_path, "later"))
    result = run_phase(giving_up(same_run, most=1), folder_in(tmp_path, "later"), InProcess(), without=given_up)
    assert (same_run.done, result.summary.items_reused) == ([], 39)

    strict = folder_in(tmp_path, "strict")
    with pytest.raises(PermanentError):
        run_phase(giving_up(Doubling(strict, {MANY[3]: bad(MANY[3])}), most=0), strict, InProcess())

    healthy = Doubling(folder_in(tmp_path, "healthy"))
    result = run_phase(giving_up(healthy, most=1), healthy.folder, InProcess())
    assert healthy.done == [MANY[3]]
    assert (result.given_up, result.summary.items_done, result.summary.items_reused) == ({}, 1, 39)
    assert healthy.folder.phase_marker().items == 40


def test_an_item_that_another_attempt_computed_meanwhile_is_not_given_up(tmp_path):
    """Kills a driver that was thought dead, and takes a good subvolume out of the run that finished without it."""
    slow = folder_in(tmp_path, "slow")

    class Overtaken(Doubling):
        def __call__(self, item: str) -> ItemMarker:
            if item in self.broken:
                Doubling(folder_in(tmp_path, "fast"))(item)
            return super().__call__(item)

    result = run_phase(giving_up(Overtaken(slow, {MANY[3]: bad(MANY[3])}), most=1), slow, InProcess())
    assert result.given_up == {}
    assert slow.phase_marker().items == 40


def test_a_damaged_item_takes_back_the_marker_of_every_choice_of_items(tmp_path):
    """Kills a phase that stays done for the runs that gave something up, with an item that is gone."""
    folder = folder_in(tmp_path, "first")
    given_up = run_phase(giving_up(Doubling(folder, {MANY[3]: bad(MANY[3])}), most=1), folder, InProcess()).given_up
    own = folder.without(given_up)
    (marker,) = folder.item_markers([MANY[0]])
    folder.store.put(marker.artefact("twice").key, b"something else")
    with pytest.raises(IntegrityError):
        folder.read_artefact(marker.artefact("twice"))
    assert own.phase_marker() is None
    again = Doubling(folder_in(tmp_path, "again"))
    run_phase(giving_up(again, most=1), again.folder, InProcess(), without=given_up)
    assert again.done == [MANY[0]]


def test_more_failures_than_allowed_fail_the_phase_and_keep_what_is_done(tmp_path):
    folder = folder_in(tmp_path, "first")
    work = Doubling(folder, {name: bad(name) for name in MANY[1:4]})
    with refused(PermanentError, "3 of 40", *MANY[1:4]):
        run_phase(giving_up(work, most=2), folder, InProcess())
    assert folder.done_items() == frozenset(MANY) - set(MANY[1:4])


def test_a_failure_that_may_pass_is_never_given_up(tmp_path):
    """Kills an empty subvolume because the server was away for a moment."""
    folder = folder_in(tmp_path, "first")
    work = Doubling(folder, {MANY[3]: TransientError("reading", "a", "HTTP 503", "again")})
    with pytest.raises(TransientError):
        run_phase(giving_up(work, most=20), folder, InProcess())
    assert MANY[3] not in folder.done_items()


@pytest.mark.fault("F18")
def test_when_the_first_items_all_fail_alike_the_rest_is_not_tried(tmp_path):
    """Kills hours of a cluster spent on a model that fits nowhere: the messages differ in numbers only."""
    folder = folder_in(tmp_path, "first")
    work = Doubling(folder, {name: bad(name) for name in MANY[:8]})
    with refused(PermanentError, "8 of 8"):
        run_phase(giving_up(work, most=40), folder, InProcess())
    assert work.done == []


def test_different_failures_of_the_first_items_do_not_stop_the_rest(tmp_path):
    folder = folder_in(tmp_path, "first")
    broken = {name: bad(name) for name in MANY[:7]} | {MANY[7]: StepError("doing", "on", "something else", "remedy")}
    work = Doubling(folder, broken)
    run_phase(giving_up(work, most=8), folder, InProcess())
    assert len(work.done) == 32


def test_few_failures_alike_in_a_retry_are_given_up_like_any_others(tmp_path):
    """Kills an early stop on the two items that a first try left over: 2 of 40 is below the rate, alike or not."""
    first = folder_in(tmp_path, "first")
    away = TransientError("reading", "a", "HTTP 503", "again")
    phase = giving_up(Doubling(first, dict.fromkeys(MANY[:2], away)), most=2)
    with pytest.raises(TransientError):
        run_phase(phase, first, InProcess())
    second = folder_in(tmp_path, "second")
    phase = giving_up(Doubling(second, {name: bad(name) for name in MANY[:2]}), most=2)
    assert set(run_phase(phase, second, InProcess()).given_up) == set(MANY[:2])


def test_later_failures_alike_do_not_count_as_the_first_ones(tmp_path):
    """Kills an early stop when as many items as are tried first have failed, though the first ones went well."""
    folder = folder_in(tmp_path, "first")
    work = Doubling(folder, {name: bad(name) for name in MANY[-8:]})
    run_phase(giving_up(work, most=8), folder, InProcess())
    assert len(work.done) == 32


def test_where_all_was_tried_nobody_says_that_the_rest_was_not(tmp_path):
    error, _ = failing(tmp_path, **{item: bad(item) for item in ITEMS})
    assert "4 of 4" in error.on
    assert error.found == " | ".join(str(bad(item)) for item in ITEMS[:3]), "the reasons, and no word more"
