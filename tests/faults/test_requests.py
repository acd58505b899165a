"""Requests under way over real processes of two runs: slots are in the real S3 server, and the DVID server counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.dvid.stand_in import StandIn, stand_in
from tests.faults.requester import scaled

from emseg.config.connections import environment_of
from emseg.devstack import DevStack

SCRIPT = Path(__file__).with_name("requester.py")
PROJECT = SCRIPT.parents[2]
LIMIT = 6
ANSWER_S = 0.02
SCALE = 0.04
TIMES = scaled(SCALE)

Start = Callable[[StandIn, str, int], "subprocess.Popen[str]"]


@pytest.fixture
def start(devstack: DevStack) -> Iterator[Start]:
    """Starts a process of a run with some threads, which waits for `go`; what is left at the end is killed."""
    processes: list[subprocess.Popen[str]] = []
    store = environment_of(devstack.s3.model_copy(update={"prefix": f"test/{uuid4().hex}"}))

    def one(server: StandIn, run: str, threads: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), server.url, str(LIMIT), run, str(threads), str(SCALE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env={**os.environ, **store, "PYTHONPATH": str(PROJECT)},
        )
        processes.append(process)
        return process

    yield one
    for process in processes:
        process.kill()
        process.communicate()


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def put_to_sleep(process: subprocess.Popen[str], server: StandIn, run: str) -> None:
    """Stop a process while all its slots have a request at the server.

    A request that is on its way to the server goes out when the process wakes: no look at its slot can be late enough.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.under_way_of[run] == LIMIT // 2:
            process.send_signal(signal.SIGSTOP)
            if server.under_way_of[run] == LIMIT // 2:
                return
            process.send_signal(signal.SIGCONT)
        time.sleep(0.0005)
    raise AssertionError(f"{run} never had {LIMIT // 2} requests at the server")


def shares(server: StandIn, seconds: float) -> dict[str, float]:
    """Which part of the requests of the next `seconds` was of which run."""
    before = Counter(server.of_instance)
    time.sleep(seconds)
    now = Counter(server.of_instance) - before
    return {run: count / now.total() for run, count in now.items()}


@pytest.mark.services
@pytest.mark.fault("F29")
def test_two_runs_share_a_limit_that_holds_while_one_is_frozen_and_killed(
    start: Start, record_property: Callable[[str, object], None]
) -> None:
    """Run `first` has two processes and all slots before `second` comes with one, which is then put to sleep past its
    time, woken up, and killed. Kills a limit for each process, a share by the number of processes, a run that keeps
    what it has, a sleeper that trusts what it held, and slots that die with their holder."""
    until_over_s = TIMES.silent_s + 3 * TIMES.waiting_s(LIMIT) + TIMES.look_s
    with stand_in(lambda _: ANSWER_S) as server:
        first, second = [start(server, "first", 6) for _ in range(2)], start(server, "second", 8)
        assert {process.stdout.readline().strip() for process in [*first, second] if process.stdout} == {"ready"}
        go(*first)
        time.sleep(1.0)
        assert shares(server, 0.5) == {"first": 1.0}
        go(second)
        time.sleep(2 * TIMES.turn_s)
        fair = shares(server, 1.5)
        assert min(fair["first"], fair["second"]) > 0.38
        put_to_sleep(second, server, "second")
        time.sleep(until_over_s)
        assert shares(server, 0.5) == {"first": 1.0}
        second.send_signal(signal.SIGCONT)
        time.sleep(2 * TIMES.turn_s)
        assert min(shares(server, 1.5).values()) > 0.38
        second.kill()
        time.sleep(until_over_s)
        before = len(server.times)
        assert shares(server, 1.0) == {"first": 1.0}
        used = (len(server.times) - before) * ANSWER_S / LIMIT
        assert used > 0.4
        assert server.most <= LIMIT
    record_property("figure", f"at most {server.most} of {LIMIT} at once; shares {fair}; then {used:.0%} of all used")
