"""Steps that misbehave: each fails its subvolume with one clear message, in a child process or without one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import psutil
import pytest
from tests.refusals import refused
from tests.segment.conftest import allowed

from emseg.config.pipeline import Isolation, StepConfig
from emseg.engine.failures import ItemFailure
from emseg.engine.items import attempt_item
from emseg.errors import NoRoomError, PermanentError, StepError
from emseg.segment import Setting, StepKind
from emseg.segment.running import PreparedStep
from emseg.store import ItemMarker
from emseg.synthetic import make_volume

GRAY = np.random.default_rng(0).integers(60, 200, (8, 9, 10), dtype=np.uint8)
EVERYWHERE = np.ones(GRAY.shape, bool)
ISOLATED = Isolation(timeout_s=60, memory_mb=512)


def commands_of_children() -> list[str]:
    """Command lines of the live processes below this one; what ends meanwhile, or has ended, has none."""
    commands = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            commands.append(" ".join(child.cmdline()))
    return commands


def prepared(name: str, isolation: Isolation | None, kind: StepKind = StepKind.PREDICT) -> PreparedStep:
    return PreparedStep.made(kind, StepConfig(name=name, isolation=isolation), Setting((10.0, 10.0, 10.0)))


def require_one_message(name: str, *values: object) -> None:
    """The step must be refused with these values, in the same words with and without a child process."""
    messages = set()
    for isolation in (None, ISOLATED):
        with refused(StepError, f"predict step {name}", *values) as caught:
            prepared(name, isolation).run(GRAY, EVERYWHERE)
        messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("wrong-dtype", ("float64 (8, 9, 10)", "float32 (8, 9, 10)")),
        ("wrong-shape", ("float32 (1, 2, 3)", "float32 (8, 9, 10)")),
        ("raises", ("OwnError: no weights for this tissue",)),
    ],
)
@pytest.mark.fault("F18")
def test_a_broken_step_has_the_same_message_with_and_without_a_child_process(broken_steps, name, values):
    require_one_message(name, *values)


@pytest.mark.fault("F18")
def test_a_step_that_hangs_is_stopped_and_leaves_no_process(broken_steps):
    """Kills a time limit that waits for the child to agree."""
    with refused(StepError, "hangs", 4, "isolation.timeout_s"):
        prepared("hangs", Isolation(timeout_s=4)).run(GRAY, EVERYWHERE)
    assert not [command for command in commands_of_children() if "isolated_child" in command]


@pytest.mark.fault("F16")
def test_a_step_that_eats_memory_meets_its_limit(broken_steps):
    """Kills a limit that the machine meets first: 8 GiB are wanted, 512 MiB may be had."""
    with refused(StepError, "eats-memory", 512, "isolation.memory_mb"):
        prepared("eats-memory", ISOLATED).run(GRAY, EVERYWHERE)


def test_a_step_that_ends_its_process_is_reported_with_its_last_words(broken_steps):
    with refused(StepError, "dies", 6, "SIGABRT", "a last word"):
        prepared("dies", ISOLATED).run(GRAY, EVERYWHERE)


@pytest.mark.fault("F15")
@pytest.mark.parametrize("isolation", [None, ISOLATED], ids=["here", "in a child process"])
def test_a_full_disk_is_no_fault_of_the_step(broken_steps, isolation):
    """Kills an isolated step whose subvolume is given up for a disk on which a person can make room."""
    step = prepared("fills-the-disk", isolation)

    def work(item: str) -> ItemMarker:
        step.run(GRAY, EVERYWHERE)
        raise AssertionError(item)

    failure = attempt_item(work, "sv-00000000")
    assert isinstance(failure, ItemFailure)
    assert failure.kind == NoRoomError.__name__
    assert not failure.is_of_the_item
    assert "/scratch/tiles" in failure.message


def test_text_that_a_step_prints_is_not_taken_for_its_answer(broken_steps):
    assert (prepared("prints", ISOLATED).run(GRAY, EVERYWHERE) == 0.25).all()


def test_an_isolated_step_gives_the_bytes_of_one_that_is_not():
    """Kills arrays that arrive transposed, cut or of another dtype."""
    gray = make_volume((40, 44, 48), seed=3).grayscale
    arrays = {
        "inverted-grayscale": (StepKind.PREDICT, (gray, np.ones(gray.shape, bool))),
        "dt-watershed": (StepKind.SUPERVOXELS, ((1 - gray / 255).astype(np.float32), np.ones(gray.shape, bool))),
    }
    for name, (kind, given) in arrays.items():
        alone = prepared(name, None, kind).run(*given)
        assert np.array_equal(prepared(name, ISOLATED, kind).run(*given), alone)


ODD = """
import os, sys, threading, time
import numpy as np
from emseg.config.base import Record
from emseg.segment.protocol import PredictStep


class Nothing(Record):
    pass


class Base(PredictStep[Nothing]):
    version, bytes_per_voxel, Parameters, halo_vox = 1, 8, Nothing, (0, 0, 0)


class ReturnsNothing(Base):
    name = "returns-nothing"
    def predict(self, gray, mask):
        return None


class ReturnsObjects(Base):
    name = "returns-objects"
    def predict(self, gray, mask):
        return np.full(gray.shape, None, object)


class Exits(Base):
    name = "exits"
    def predict(self, gray, mask):
        sys.exit("no licence")


class Signalled(Base):
    name = "signalled"
    def predict(self, gray, mask):
        os.kill(os.getpid(), 40)


class LeavesAThread(Base):
    name = "leaves-a-thread"
    def predict(self, gray, mask):
        threading.Thread(target=time.sleep, args=(300,)).start()
        return np.zeros(gray.shape, np.float32)


class Hangs(Base):
    name = "hangs"
    def predict(self, gray, mask):
        with open(os.environ["EMSEG_ODD_STARTED"], "w") as file:
            file.write(str(os.getpid()))
        time.sleep(300)


class CannotBeMade(Hangs):
    name = "cannot-be-made"
    def __init__(self, parameters, setting):
        raise KeyError("weights")
"""
ODD_CLASSES = ("ReturnsNothing", "ReturnsObjects", "Exits", "Signalled", "LeavesAThread", "CannotBeMade", "Hangs")


@pytest.fixture
def odd_steps(tmp_path, monkeypatch):
    """Steps of an allowed package `emseg-odd` that misbehave in ways that few authors think of."""
    info = tmp_path / "emseg_odd-0.1.dist-info"
    info.mkdir()
    (tmp_path / "emseg_odd.py").write_text(ODD)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: emseg-odd\nVersion: 0.1\n")
    entries = "\n".join(f"{name} = emseg_odd:{name}" for name in ODD_CLASSES)
    (info / "entry_points.txt").write_text(f"[emseg.steps]\n{entries}\n")
    with allowed(tmp_path, "emseg-odd", monkeypatch):
        yield


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("returns-nothing", ("NoneType", "float32")),
        ("returns-objects", ("object (8, 9, 10)", "float32 (8, 9, 10)")),
        ("exits", ("SystemExit: no licence",)),
    ],
)
def test_an_output_that_is_no_array_of_numbers_has_the_same_message_too(odd_steps, name, values):
    """Kills a child that checks nothing and a parent that trips over the answer, and a step that ends its worker."""
    require_one_message(name, *values)


def test_a_signal_that_has_no_name_is_named_by_its_number(odd_steps):
    with refused(StepError, "signalled", 40):
        prepared("signalled", ISOLATED).run(GRAY, EVERYWHERE)


def test_a_thread_that_a_step_leaves_running_does_not_delay_its_answer(odd_steps):
    """Kills a child that waits for the threads of its step until its time is over."""
    started = time.monotonic()
    assert not prepared("leaves-a-thread", ISOLATED).run(GRAY, EVERYWHERE).any()
    assert time.monotonic() - started < ISOLATED.timeout_s


def test_a_step_that_cannot_be_made_is_refused_before_it_runs(odd_steps):
    """Kills a KeyError that Airflow tries three times more."""
    with refused(PermanentError, "predict", "cannot-be-made", "KeyError: 'weights'"):
        prepared("cannot-be-made", None)


WORKER = """
import numpy as np
from emseg.config.pipeline import Isolation, StepConfig
from emseg.segment import Setting, StepKind
from emseg.segment.running import PreparedStep
from emseg.store import ItemMarker
config = StepConfig(name="hangs", isolation=Isolation(timeout_s=300))
step = PreparedStep.made(StepKind.PREDICT, config, Setting((10.0, 10.0, 10.0)))
step.run(np.zeros((4, 5, 6), np.uint8), np.ones((4, 5, 6), bool))
"""


def test_the_child_of_a_killed_worker_ends_with_it(odd_steps, tmp_path):
    """Kills a child that computes on, and keeps its memory, after Spark has given its task to another worker."""
    started = tmp_path / "started"
    worker = subprocess.Popen([sys.executable, "-c", WORKER], env={**os.environ, "EMSEG_ODD_STARTED": str(started)})
    try:
        assert _comes_true(lambda: started.exists() and started.read_text() != "")
        child = psutil.Process(int(started.read_text()))
    finally:
        worker.kill()
        worker.wait()
    assert _comes_true(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def _comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()
