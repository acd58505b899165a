"""Steps that misbehave: each fails its subvolume with one clear message, in a child process or without one."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import psutil
import pytest

from emseg.config.pipeline import Isolation, StepConfig
from emseg.errors import StepError
from emseg.segment import Setting, StepKind
from emseg.segment.running import PreparedStep
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


@pytest.mark.parametrize("isolation", [None, ISOLATED])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong-dtype", r"predict step wrong-dtype\): returned float64 \(8, 9, 10\)\. Return float32"),
        ("wrong-shape", r"predict step wrong-shape\): returned float32 \(1, 2, 3\)\. Return float32 \(8, 9, 10\)"),
        ("raises", r"predict step raises\): raised OwnError: no weights for this tissue"),
    ],
)
def test_a_broken_step_is_told_in_the_same_words_with_and_without_a_child_process(
    broken_steps, name, message, isolation
):
    with pytest.raises(StepError, match=message):
        prepared(name, isolation).run(GRAY, EVERYWHERE)


def test_a_step_that_hangs_is_stopped_and_leaves_no_process(broken_steps):
    """Kills a time limit that waits for the child to agree."""
    with pytest.raises(StepError, match=r"hangs\): did not finish in 4 s and was stopped.*timeout_s"):
        prepared("hangs", Isolation(timeout_s=4)).run(GRAY, EVERYWHERE)
    assert not [command for command in commands_of_children() if "isolated_child" in command]


def test_a_step_that_eats_memory_meets_its_limit(broken_steps):
    """Kills a limit that the machine meets first: 8 GiB are wanted, 512 MiB may be had."""
    with pytest.raises(StepError, match=r"eats-memory\): needs more than the 512 MiB.*memory_mb"):
        prepared("eats-memory", ISOLATED).run(GRAY, EVERYWHERE)


def test_a_step_that_ends_its_process_is_told_with_its_last_words(broken_steps):
    with pytest.raises(StepError, match=r"dies\): its process was ended by signal 6 \(SIGABRT\): a last word"):
        prepared("dies", ISOLATED).run(GRAY, EVERYWHERE)


def test_what_a_step_prints_is_not_taken_for_its_answer(broken_steps):
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
