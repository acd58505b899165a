"""What limiting requests to DVID costs, and what it gives: the price of a request, requests to S3, peak, fair shares.

The DVID server is a stand-in that counts; slots are in a real S3 server that is started for it, with the times of
production. Wall time: server and clients share the cores of this computer. A request that does nothing is the dearest
case: a brick of labels takes a hundred times as long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.dvid.stand_in import StandIn, stand_in

from benchmarks.data import PROJECT
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.config.connections import DvidConnection, environment_of
from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer
from emseg.store import RequestSlots, S3Store, SlotBoard

PATH = "/api/node/3f2a/bench/raw"
REQUESTS = 300
ROUNDS = 9
LIMIT = 8
ANSWER_S = 0.1
SETTLE_S, MEASURE_S = 25.0, 30.0
RUNS = {"first": (2, 8), "second": (1, 8)}
"""Processes of each run, and threads of each process: 24 want what 8 may."""


def run() -> list[Row]:
    """A request with and without slots; then two runs that want three times the limit."""
    with s3_server() as stack:
        return [*_price(stack), *_shared(stack)]


@contextmanager
def s3_server() -> Iterator[DevStack]:
    """A devstack of its own."""
    with TemporaryDirectory() as folder:
        try:
            yield up(Path(folder), PROJECT / "build" / "tools")
        finally:
            down(Path(folder))


def _price(stack: DevStack) -> list[Row]:
    with stand_in() as server:
        connection = DvidConnection(url=server.url)
        slots = RequestSlots(SlotBoard(S3Store.open(stack.s3), server.url, LIMIT))
        clients = {"without slots": DvidServer(connection), "with slots": DvidServer(connection, slots)}
        times = side_by_side({name: _asked(client) for name, client in clients.items()}, ROUNDS, time.perf_counter)
        slots.close()
    said = "a request that does nothing"
    rows = [Row(f"{said}, {name}", 1e3 * times.median_s(name) / REQUESTS, "ms") for name in clients]
    return [*rows, Row(f"{said}, with / without slots", times.ratio("with slots", "without slots"), "x")]


def _asked(client: DvidServer) -> Callable[[], object]:
    return lambda: [client.get(PATH) for _ in range(REQUESTS)]


def _shared(stack: DevStack) -> list[Row]:
    with stand_in(lambda _: ANSWER_S) as server, ExitStack() as open_processes:
        started = [
            open_processes.enter_context(_process(stack, server, name, threads))
            for name, (processes, threads) in RUNS.items()
            for _ in range(processes)
        ]
        for process in started:
            process.stdout.readline()  # type: ignore[union-attr]
        for process in started:
            process.stdin.write("go\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        time.sleep(SETTLE_S)
        before, sent_before = dict(server.of_instance), len(server.times)
        time.sleep(MEASURE_S)
        of_run = {name: server.of_instance[name] - before.get(name, 0) for name in RUNS}
        at_once = server.at_once[sent_before:]
        sent = sum(int(process.communicate()[0]) for process in started)
        all_requests = len(server.times)
    said = f"two runs, limit {LIMIT}, answers after {ANSWER_S:g} s"
    return [
        Row(f"{said}: most at once", server.most, f"of {LIMIT}"),
        Row(f"{said}: median at once", median(at_once), f"of {LIMIT}"),
        Row(f"{said}: share of the first, of two processes", 100 * of_run["first"] / sum(of_run.values()), "%"),
        Row(f"{said}: used of the limit", 100 * sum(of_run.values()) * ANSWER_S / MEASURE_S / LIMIT, "%"),
        Row(f"{said}: requests to S3 for 1000 to DVID", 1000 * sent / all_requests, "requests"),
    ]


@contextmanager
def _process(stack: DevStack, server: StandIn, name: str, threads: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.requester", server.url, str(LIMIT), name, str(threads), "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **environment_of(stack.s3)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
