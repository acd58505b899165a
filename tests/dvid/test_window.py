"""How much one process asks at once: of a server that is fast, slow, busy, or full."""

from __future__ import annotations

import time

import pytest
from tests.dvid.stand_in import GOOD, Answer, StandIn, sent_by_threads, stand_in

from emseg.config.connections import DvidConnection
from emseg.dvid.http import DvidServer
from emseg.dvid.repetition import Patience
from emseg.dvid.window import FIRST, LEAST, LEAST_WHEN_SLOW, MOST, Window
from emseg.errors import NoRoomError

PATH = "/api/node/3f2a/grayscale/raw/0_1_2/64_64_64/0_0_0"
THREADS = 16


def answers(window: Window, seconds: float, times: int, at_once: int = 1) -> None:
    """Good answers that took so long, as if `at_once` had been under way."""
    window._under_way = at_once
    for _ in range(times):
        now = time.monotonic()
        window.answered(("GET", "raw"), now - seconds, now)
    window._under_way = 0


def test_a_window_that_is_not_full_does_not_grow() -> None:
    """Kills a window that has grown to its most when the first burst comes."""
    window = Window()
    answers(window, 0.01, 100)
    assert window.size == FIRST
    answers(window, 0.01, 100, at_once=MOST)
    assert window.size == MOST


def test_refusals_of_requests_that_were_under_way_together_halve_once() -> None:
    """Kills a window that falls to nothing because sixteen requests met one moment of trouble."""
    window = Window()
    answers(window, 0.01, 100, at_once=MOST)
    together = time.monotonic()
    for _ in range(MOST):
        window.refused(together, 0.0)
    assert window.size == MOST / 2
    for _ in range(20):
        window.refused(time.monotonic(), 0.0)
    assert window.size == LEAST


def test_after_trouble_it_grows_by_one_a_round_and_below_one_by_a_quarter() -> None:
    """Kills a window that stays small for ever, and one that doubles into the next refusal."""
    window = Window()
    for _ in range(20):
        window.refused(time.monotonic(), 0.0)
    answers(window, 0.0001, 13)
    assert window.size == 1.0
    answers(window, 0.0001, 2, at_once=2)
    assert window.size == 2.5


@pytest.mark.parametrize(("ratio", "size"), [(2, MOST), (3, MOST), (6, 1.0), (20, LEAST_WHEN_SLOW)])
def test_slow_answers_shrink_it_but_slowness_alone_never_stops_it(ratio: int, size: float) -> None:
    """Kills a limit without a lower end, and one that takes twice the fastest for slow: machines are noisy."""
    window = Window()
    answers(window, 0.01, 100, at_once=MOST)
    answers(window, 0.01 * ratio, 400)
    assert window.size == size


def test_answers_are_compared_with_others_of_their_kind_and_size_alone() -> None:
    """Kills a fast `info` that makes every read of grayscale slow."""
    window = Window()
    answers(window, 0.01, 100, at_once=MOST)
    for size in (1 << 20, 1 << 26):
        for _ in range(100):
            now = time.monotonic()
            window.answered(("GET", "blocks", size.bit_length()), now - size / 1e6, now)
    assert window.size == MOST


def timed(server: StandIn, threads: int, seconds: float) -> float:
    """Requests a second."""
    client, end = DvidServer(DvidConnection(url=server.url)), time.monotonic() + seconds
    before = len(server.times)
    assert not sent_by_threads(threads, lambda: client.get(PATH), lambda: time.monotonic() > end)
    return (len(server.times) - before) / seconds


def test_a_server_that_slows_down_under_load_is_kept_near_its_best() -> None:
    """With n requests at once an answer takes 20 (1 + (n/4)^2) ms: 4 at once are the best. Kills a fixed 16, which
    gives half of it, and a window that falls to 1."""

    def slower(at_once: int) -> float:
        return 0.02 * (1 + (at_once / 4) ** 2)

    with stand_in(slower) as server:
        timed(server, THREADS, 1.0)
        best = timed(server, 4, 1.0)
    with stand_in(slower) as server:
        found = timed(server, THREADS, 3.0)
        settled = server.at_once[len(server.at_once) // 2 :]
    assert found > 0.6 * best
    assert 2 <= sum(settled) / len(settled) <= 10


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
@pytest.mark.fault("F29")
def test_a_busy_server_gets_less_then_all_succeeds(headers: dict[str, str]) -> None:
    """The server refuses for 1.2 s. Kills sixteen threads that hammer it, an error that reaches a task, and a window
    that never grows again."""
    busy_s = 1.2

    def busy(at: float) -> Answer:
        return (503, b"busy", headers) if 0.5 < at < 0.5 + busy_s else GOOD

    with stand_in(lambda _: 0.01, busy) as server:
        client = DvidServer(DvidConnection(url=server.url), patience=Patience(first_pause_s=0.1))
        end = time.monotonic() + 5.0
        assert not sent_by_threads(THREADS, lambda: client.get(PATH), lambda: time.monotonic() > end)
        before = sum(at < 0.5 for at in server.times) / 0.5
        during = sum(0.5 < at < 0.5 + busy_s for at in server.times) / busy_s
        after = sum(at > 4.0 for at in server.times)
    assert before > 40
    assert during < before / 4
    assert after > 0.3 * before
    if headers:
        assert not [at for at in server.times if 0.75 < at < 1.45]


@pytest.mark.parametrize("full", [(507, b"", {}), (400, b"write: no space left on device", {})])
@pytest.mark.fault("F29")
def test_a_full_server_is_told_at_once_and_nothing_is_sent_again(full: Answer) -> None:
    """Kills repetitions of what cannot succeed."""
    with stand_in(answer=lambda _: full) as server:
        client = DvidServer(DvidConnection(url=server.url))
        errors = sent_by_threads(THREADS, lambda: client.post(PATH, b"x", repeatable=True), lambda: False)
        assert {type(error) for error in errors} == {NoRoomError}
        assert len(errors) == THREADS == len(server.times)
