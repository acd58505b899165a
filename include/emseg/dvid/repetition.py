"""When a request is sent again: how often, after which pauses, and what a server's `Retry-After` says.

A fault of the network or of the server is repeated a few times within seconds. A server that says it is busy (503, 429)
is asked again for two minutes, with longer pauses: it refuses before it does anything, and it will come round.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from random import SystemRandom

from emseg.errors import EmsegError

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
BUSY_S = 120.0


@dataclass(frozen=True)
class Failed:
    """An exchange without a good answer: the error to raise, and whether such a request may be sent again.

    The server was busy and said so, or it was silent (no answer, or a proxy got none). `retry_after_s` is how long it
    wants to be left alone.
    """

    error: EmsegError
    may_repeat: bool
    is_busy: bool = False
    is_silent: bool = False
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Patience:
    """`attempts` for faults, `busy_s` seconds for a busy server; `first_pause_s` doubles, jittered by half."""

    attempts: int = ATTEMPTS
    first_pause_s: float = FIRST_PAUSE_S
    busy_s: float = BUSY_S


@dataclass
class Repetition:
    """The repetitions of one request."""

    patience: Patience
    faults: int = 0
    refusals: int = 0
    busy_since: float = field(default_factory=time.monotonic)

    def pause_s(self, failed: Failed) -> float | None:
        """Seconds to wait before the request is sent again; None: it is not."""
        if not failed.may_repeat:
            return None
        self.faults, self.refusals = self.faults + (not failed.is_busy), self.refusals + failed.is_busy
        doubled = self.patience.first_pause_s * 2.0 ** min(self.faults + self.refusals - 1, 30)
        pause_s = min(doubled, LONGEST_PAUSE_S) * SystemRandom().uniform(0.5, 1.5)
        if not failed.is_busy:
            return pause_s if self.faults < self.patience.attempts else None
        if self.refusals == 1:
            self.busy_since = time.monotonic()
        pause_s = max(pause_s, failed.retry_after_s)
        return pause_s if time.monotonic() + pause_s < self.busy_since + self.patience.busy_s else None


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that the header `Retry-After` asks for; 0 where there is none, or none that makes sense.

    A date is compared with the date of the answer, which is of the same clock.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (KeyError, TypeError, ValueError):
        return 0.0
