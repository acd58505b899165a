"""A driver in the cluster: what its record says while it lives, at its end, and when another one is wanted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.config.runspec import RunSpec
from emseg.errors import PermanentError, TransientError
from emseg.store import FolderStore
from emseg.tasks.driver_life import Driver, DriverLife, call_off_driver, driver_life, expect_driver
from emseg.tasks.run_folder import RunFolder

BEAT_S = 0.02


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(FolderStore(tmp_path), "demo", "run-1")


def waited(folder: RunFolder, beat: int) -> DriverLife:
    pause = threading.Event()
    while (life := driver_life(folder, "segment")).beat < beat:
        pause.wait(0.01)
    return life


def test_it_beats_while_it_works_and_tells_its_exit_code_at_the_end(folder: RunFolder) -> None:
    """Kills a driver that is heard once: a long stage would be taken for dead."""
    submission = expect_driver(folder, "segment")
    assert driver_life(folder, "segment") == DriverLife(submission=submission, beat=0)
    seen: list[DriverLife] = []

    def work() -> int:
        seen.append(waited(folder, 4))
        return 65

    assert Driver(folder, "segment", submission, BEAT_S).drive(work) == 65
    assert seen[0].exit_code is None
    last = driver_life(folder, "segment")
    assert (last.submission, last.exit_code) == (submission, 65)
    assert last.beat > seen[0].beat


def test_a_driver_that_raises_has_ended_badly(folder: RunFolder) -> None:
    """Kills a task that waits for a driver which died of an unknown exception."""
    submission = expect_driver(folder, "segment")
    with pytest.raises(ZeroDivisionError):
        Driver(folder, "segment", submission, BEAT_S).drive(lambda: 1 // 0)
    assert driver_life(folder, "segment").exit_code == 1


@pytest.mark.parametrize("how", ["a later try", "called off", "pinned anew"])
def test_a_driver_that_is_no_longer_wanted_ends_at_its_next_beat_and_writes_nothing(
    how: str, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills two drivers of one stage after a retry, and a beat of the first one that hides the second."""
    submission, ended = expect_driver(folder, "segment"), threading.Event()
    codes: list[int] = []

    def work() -> int:
        waited(folder, 2)
        if how == "a later try":
            expect_driver(folder, "segment")
        elif how == "called off":
            call_off_driver(folder, "segment", submission)
        else:
            monkeypatch.setattr(folder, "write", lambda *_: None)
            folder.begin(RunSpec.model_construct())
        assert ended.wait(10)
        return 0

    Driver(folder, "segment", submission, BEAT_S, lambda code: (codes.append(code), ended.set())).drive(work)
    assert codes == [TransientError.exit_code]
    life = driver_life(folder, "segment")
    assert life.submission != submission
    assert (life.beat, life.exit_code) == (0, None)


def test_a_driver_that_starts_too_late_does_not_begin(folder: RunFolder) -> None:
    """Kills a driver that waited in a queue and then runs beside that of the retry."""
    late, wanted = expect_driver(folder, "segment"), expect_driver(folder, "segment")
    with refused(PermanentError, late, "wants another driver"):
        Driver(folder, "segment", late, BEAT_S).drive(lambda: pytest.fail("it began"))
    assert driver_life(folder, "segment").submission == wanted


def test_calling_off_an_earlier_driver_leaves_the_later_one(folder: RunFolder) -> None:
    """Kills a trigger that is cancelled late and stops the driver of the retry."""
    first, second = expect_driver(folder, "segment"), expect_driver(folder, "segment")
    call_off_driver(folder, "segment", first)
    assert driver_life(folder, "segment").submission == second


def test_a_driver_beside_its_task_leaves_no_record(folder: RunFolder) -> None:
    assert Driver(folder, "segment", "").drive(lambda: 64) == 64
    assert not folder.has("driver-segment")
