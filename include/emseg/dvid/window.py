"""How much one process asks of a DVID server at once: more while it answers well, less when it is busy or slow.

    with window.turn(kind) as turn:      waits until the process may send one more
        turn.starts()
        answer = send()
        turn.answered(bytes_moved)       or turn.refused(retry_after_s)

`size` is how many requests may be under way. It begins at 2 and grows by 1 for each good answer until the first
trouble; afterwards by 1 when so many were answered as may be under way. A refusal (503, 429, no answer) halves it.
Below 1 the process pauses: at 1/4 it is silent three quarters of the time.

Slow is what takes 4 times as long as the fastest request of its kind and about its size: the size shrinks by 3/10. A
process that sends one request at a time slows down further only at 8 times, and not below 1/4: some requests of a kind
are harder than others, and a slow answer is no refusal.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

MOST = 16
FIRST, LEAST, LEAST_WHEN_SLOW = 2.0, 1 / 16, 1 / 4
CALM, SLOW, VERY_SLOW = 2.5, 4.0, 8.0
"""How many times the fastest is still good enough to grow, is slow, and is slow for one request at a time."""
ANSWERS = 8
"""The median of so many answers decides whether the server is slow."""
FORGET_S = 300.0
"""The fastest answer counts for one to two times as long: a server may become slower for good."""
LONGEST_PAUSE_S, LONGEST_SILENCE_S = 15.0, 120.0

Kind = tuple[object, ...]


@dataclass
class _Fastest:
    """Seconds of the fastest answer of a kind, in the current period and in the one before."""

    began: float
    now_s: float
    before_s: float = float("inf")

    def ratio(self, seconds: float, now: float) -> float:
        """How many times as long as the fastest this answer took."""
        if now - self.began > FORGET_S:
            self.began, self.before_s, self.now_s = now, self.now_s, seconds
        self.now_s = min(self.now_s, seconds)
        return seconds / max(min(self.now_s, self.before_s), 1e-4)


@dataclass
class Turn:
    """One request under way: its sender says how it ended, else it is not counted."""

    window: Window
    kind: Kind
    began: float = field(default_factory=time.monotonic)

    def starts(self) -> None:
        """It is sent only now: what it waited for until here was not the server."""
        self.began = time.monotonic()

    def answered(self, size_bytes: int) -> None:
        """A whole good answer came; `size_bytes` are all that was sent and received."""
        self.window.answered((*self.kind, size_bytes.bit_length()), self.began, time.monotonic())

    def refused(self, retry_after_s: float = 0.0) -> None:
        """The server was too busy, or did not answer. Nothing is sent for `retry_after_s`, at most two minutes."""
        self.window.refused(self.began, min(retry_after_s, LONGEST_SILENCE_S))


class Window:
    """The requests of one process to one server. Safe to share between threads."""

    def __init__(self) -> None:
        self.size = FIRST
        self._under_way = 0
        self._not_before = self._shrunk = 0.0
        self._had_trouble = False
        self._usual_s = 0.0
        self._fastest: dict[Kind, _Fastest] = {}
        self._ratios: deque[float] = deque(maxlen=ANSWERS)
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, kind: Kind) -> Iterator[Turn]:
        """Wait until one more request may be under way; it is as long as the context is open."""
        with self._changed:
            while (pause_s := self._pause_s()) != 0:
                self._changed.wait(pause_s)
            self._under_way += 1
        try:
            yield Turn(self, kind)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def answered(self, kind: Kind, began: float, now: float) -> None:
        """Grow, or shrink if the last answers were slow."""
        with self._changed:
            seconds = now - began
            self._usual_s += (seconds - self._usual_s) / ANSWERS
            self._ratios.append(self._fastest.setdefault(kind, _Fastest(now, seconds)).ratio(seconds, now))
            slowness = median(self._ratios)
            too_slow, least = (SLOW, 1.0) if self.size > 1 else (VERY_SLOW, LEAST_WHEN_SLOW)
            if len(self._ratios) == ANSWERS and slowness > too_slow:
                self._shrink(max(0.7 * self.size, least), now)
            elif slowness <= CALM:
                self._grow()
            self._pause(now)

    def refused(self, began: float, retry_after_s: float) -> None:
        """Halve, once for all that were under way together."""
        with self._changed:
            now = time.monotonic()
            if began >= self._shrunk:
                self._shrink(max(self.size / 2, LEAST), now)
            self._not_before = max(self._not_before, now + retry_after_s)

    def _pause_s(self) -> float | None:
        """Seconds until one more may be sent, 0: now, None: when another ends."""
        if self._under_way >= max(1, int(self.size)):
            return None
        return max(0.0, self._not_before - time.monotonic())

    def _shrink(self, size: float, now: float) -> None:
        self.size, self._shrunk, self._had_trouble = min(size, self.size), now, True
        self._ratios.clear()

    def _grow(self) -> None:
        if self.size < 1:
            self.size = min(1.0, 1.25 * self.size)
        elif self._under_way >= int(self.size):  # else a larger one would say nothing of the server
            self.size = min(float(MOST), self.size + (1 / self.size if self._had_trouble else 1))

    def _pause(self, now: float) -> None:
        if self.size < 1:
            pause_s = min(LONGEST_PAUSE_S, (1 / self.size - 1) * self._usual_s)
            self._not_before = max(self._not_before, now + pause_s)
