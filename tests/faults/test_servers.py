"""Servers that refuse, break off, lose replies, die or have no space left: retries end the run with the same bytes."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from threading import Thread

import psutil
import pytest
from tests.faults.conftest import ALL, FaultRun, FaultStack, ended
from tests.faults.matrix import FULL
from tests.store.conftest import FaultyProxy

from emseg.devstack import up
from emseg.devstack.stack import status

pytestmark = pytest.mark.services

Figure = Callable[[str], None]

TRIES = 4
"""How often Airflow runs a task."""
KINDS = ("refuse", "reset", "lose", "halve", "flip")


class RandomFaults(list[str]):
    """A fault for a share of all requests, of any kind; stands for the list of faults of a `FaultyProxy`."""

    def __init__(self, share: float, seed: int) -> None:
        self._share, self._random = share, random.Random(seed)
        self.made = 0

    def __bool__(self) -> bool:
        return self._random.random() < self._share

    def pop(self, _index: object = 0) -> str:
        self.made += 1
        return self._random.choice(KINDS)


@pytest.fixture
def proxy(faults: FaultStack) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server of the test run."""
    server = FaultyProxy(faults.stack.s3_url)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.fault("F7")
@pytest.mark.parametrize("share", [0.01, 0.05, 0.2] if FULL else [0.2])
def test_a_run_under_faults_of_s3_ends_with_the_same_bytes_within_airflows_tries(
    faults: FaultStack, undisturbed: dict[str, str], proxy: FaultyProxy, figure: Figure, share: float
):
    """Kills a request that is not repeated, one that counts twice, and spoiled bytes that are believed."""
    run = faults.run(environment={"EMSEG_S3_ENDPOINT": proxy.url})
    quiet_s = _seconds(lambda: _end(faults.run(environment={"EMSEG_S3_ENDPOINT": proxy.url}), 1)) if FULL else 0.0
    random_faults = RandomFaults(share, seed=7)
    proxy.faults, proxy.requests = random_faults, 0
    tries: list[int] = []
    disturbed_s = _seconds(lambda: tries.append(_end(run, TRIES)))
    proxy.faults = []
    assert run.digests() == undisturbed
    assert random_faults.made > 0
    factor = f", {disturbed_s / quiet_s:.1f} times the time without" if FULL else ""
    figure(f"{share:.0%} of {proxy.requests} requests spoiled ({random_faults.made}): {tries[0]} tries{factor}")


@pytest.mark.fault("F12")
@pytest.mark.parametrize("victim", ["dvid", "s3"] if FULL else ["dvid"])
def test_a_server_that_is_killed_while_it_is_written_to_comes_back_and_the_retry_ends_the_run(
    own_faults: FaultStack, undisturbed: dict[str, str], tools, figure: Figure, victim: str
):
    """Kills a retry that believes what was half written, and one that counts blocks twice."""
    run = own_faults.run()
    assert run.drive("segment").code == 0
    driver = run.start("stitch")
    _wait_for(lambda: bool(run.context().folder("match").done_items()))
    (pid,) = (server.pid for server in status(own_faults.stack.root) if server.role == victim)
    assert pid
    os.kill(pid, signal.SIGKILL)
    first = ended(driver)
    up(own_faults.stack.root, tools)
    assert first.code in {0, 75}, first.said
    last = run.drive(*ALL)
    assert last.code == 0, last.said
    assert run.digests() == undisturbed
    figure(f"{victim} killed in mid-stitch: driver ended with {first.code}, the retry with 0, same bytes")


@pytest.mark.fault("F15")
@pytest.mark.parametrize("victim", ["dvid", "s3"] if FULL else ["s3"])
def test_a_server_without_space_is_told_in_words_and_the_run_goes_on_when_there_is_space(
    own_faults: FaultStack, undisturbed: dict[str, str], figure: Figure, victim: str
):
    """Kills a write that is taken for done, and a run that cannot go on after the disk was enlarged.

    A limit on the size of files stands for the full disk: the server's next write fails as on one.
    """
    run = own_faults.run()
    assert run.drive("segment").code == 0
    (pid,) = (server.pid for server in status(own_faults.stack.root) if server.role == victim)
    server = psutil.Process(pid)
    unlimited = server.rlimit(resource.RLIMIT_FSIZE)
    server.rlimit(resource.RLIMIT_FSIZE, (1, unlimited[1]))
    short = run.drive("stitch")
    server.rlimit(resource.RLIMIT_FSIZE, unlimited)
    assert short.code in {64, 75}, short.said
    last = run.drive(*ALL)
    assert last.code == 0, last.said
    assert run.digests() == undisturbed
    figure(f"{victim} without space: driver ended with {short.code}, with 0 when there was space, same bytes")


def _end(run: FaultRun, tries: int) -> int:
    """Drive each task until it ends well; the most tries that one took."""
    most = 0
    for task in ALL:
        codes = [75]
        while codes[-1] in {65, 75} and len(codes) <= tries:
            last = run.drive(task)
            codes.append(last.code)
        assert last.code == 0, last.said
        most = max(most, len(codes) - 1)
    return most


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
