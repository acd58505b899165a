"""Processes of their own: raced, killed and put to sleep, on a folder and on the real S3 server."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emseg.config.connections import environment_of
from emseg.store import PhaseFolder

SCRIPT = Path(__file__).with_name("store_process.py")
ITEM = "sv-00000001"


@pytest.fixture
def start(location):
    """Starts processes of store_process.py that wait for `go`; what is left of them at the end is killed."""
    processes = []

    def start_one(doing: str, name: str) -> subprocess.Popen[str]:
        folder = str(location) if isinstance(location, Path) else "-"
        environment = {} if isinstance(location, Path) else environment_of(location)
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), folder, doing, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip()


def raced(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Outcomes of processes that all start when the last is ready."""
    assert {heard(p) for p in processes} == {"ready"}
    for process in processes:
        go(process)
    return [heard(p) for p in processes]


def test_of_eight_processes_that_want_a_key_one_gets_it(store, start):
    """Kills locks that hold only between threads."""
    names = [f"process-{n}" for n in range(8)]
    outcomes = raced([start("take_key", name) for name in names])
    assert sorted(outcomes) == ["False"] * 7 + ["True"]
    assert store.get("race/winner") == names[outcomes.index("True")].encode() * 100_000


def test_eight_attempts_at_one_item_agree_on_one_marker(store, start):
    """Kills two committed attempts; every process uses the winner's artefacts, which verify."""
    outcomes = raced([start("commit_item", f"a{n}") for n in range(8)])
    reader = PhaseFolder(store, "medulla", "segment", "key1", "")
    marker = reader.item_marker(ITEM)
    assert set(outcomes) == {marker.attempt}
    assert reader.read_artefact(marker.artefact("labels")) == b"labels" * 50_000
    assert len(list(store.keys_under("medulla/phases/segment/key1/items"))) == 1


def test_a_process_killed_between_artefact_and_marker_leaves_the_item_undone(store, start):
    """Kills "done when the file is there". The next attempt gives the marker an undisturbed one would give."""
    victim = start("write_artefact_only", "a1")
    assert heard(victim) == "ready"
    go(victim)
    assert heard(victim) == "written"
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    phase = PhaseFolder(store, "medulla", "segment", "key1", "a2")
    assert len(list(store.keys_under("medulla/phases/segment/key1/attempt-a1"))) == 1
    assert phase.done_items() == frozenset()
    assert raced([start("commit_item", "a3")]) == ["a3"]
    assert phase.done_items() == {ITEM}


def test_a_process_killed_while_it_writes_leaves_a_whole_object_and_no_stray_key(store, start):
    """Kills writing into the object itself, and temporary files that a listing shows."""
    for _ in range(4):
        victim = start("overwrite_for_ever", "a1")
        assert heard(victim) == "ready"
        go(victim)
        assert heard(victim) == "writing"
        time.sleep(0.15)
        victim.kill()
        victim.wait()
        assert store.get("torn/object") in {b"a" * 3_000_000, b"b" * 3_000_000}
        assert list(store.keys_under("")) == ["torn/object"]


@pytest.mark.fault("F6")
def test_a_holder_that_was_put_to_sleep_learns_that_it_was_succeeded(start):
    """It gets SIGSTOP beyond its time. Kills a late writer that trusts its own clock, which stood still as well."""
    sleeper, successor = start("hold_lease", "sleeper"), start("hold_lease", "successor")
    assert raced([sleeper]) == ["fence 1"]
    sleeper.send_signal(signal.SIGSTOP)
    try:
        assert heard(successor) == "ready"
        go(successor)
        assert heard(successor) == "fence 2"
    finally:
        sleeper.send_signal(signal.SIGCONT)
    go(sleeper)
    assert heard(sleeper) == "LeaseLostError"
    go(successor)
    assert heard(successor) == "renewed 2"
