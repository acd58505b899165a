"""Sending one alert through every channel, whatever happens to the others: all at once, each in a thread of its own.

A channel that failed is tried again after each of `pauses_s`. One that hangs is left behind after `longest_s`: its
receipt stays claimed, so nobody uses it again for this alert.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from threading import Thread

from emseg.alerts.alert import Alert
from emseg.alerts.channels import Channel
from emseg.alerts.errors import UnsureError
from emseg.alerts.receipts import Receipts, State
from emseg.errors import EmsegError, TransientError

PAUSES_S = (2.0, 8.0)
LONGEST_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of an alert in one channel; `earlier` was settled before, or is in work by another notifier."""

    channel: str
    state: State | None
    reason: str = ""

    @property
    def earlier(self) -> bool:
        """Whether this call left the channel alone."""
        return self.state is None


def send(
    alert: Alert,
    channels: Iterable[Channel],
    receipts: Receipts | None,
    pauses_s: tuple[float, ...] = PAUSES_S,
    longest_s: float = LONGEST_S,
) -> tuple[Outcome, ...]:
    """Deliver to each channel; a failure is logged and returned, never raised: the run's result stands.

    Without receipts nothing is known of earlier calls, and each channel is used. What is no EmsegError is a fault of a
    channel: it is raised when the others have had their turn.
    """
    turns = [_Turn(alert, channel, receipts, pauses_s) for channel in channels]
    for turn in turns:
        turn.start()
    ends = time.monotonic() + longest_s
    for turn in turns:
        turn.join(max(0.0, ends - time.monotonic()))
    outcomes = tuple(turn.outcome for turn in turns)
    for outcome in outcomes:
        if outcome.state not in {None, "delivered"}:
            told = (alert.dedupe_key, outcome.channel, outcome.state, outcome.reason)
            _log.warning("alert %s was not delivered through %s (%s): %s", *told)
    for turn in turns:
        if turn.fault is not None:
            raise turn.fault
    return outcomes


class _Turn(Thread):
    """One channel's turn; a daemon, so that a channel that hangs does not keep the process."""

    def __init__(self, alert: Alert, channel: Channel, receipts: Receipts | None, pauses_s: tuple[float, ...]) -> None:
        super().__init__(name=f"alert through {channel.name}", daemon=True)
        self._alert, self._channel, self._receipts, self._pauses_s = alert, channel, receipts, pauses_s
        self.outcome = Outcome(channel.name, "claimed", "it has not ended, and is not waited for any longer")
        self.fault: Exception | None = None

    def run(self) -> None:
        """Try, and try again as long as that may help."""
        try:
            for pause_s in (*self._pauses_s, None):
                self.outcome, again = self._tried()
                if not again or pause_s is None:
                    break
                time.sleep(pause_s)
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits for this one
            self.fault = error
            self.outcome = replace(self.outcome, reason=f"a fault of the channel: {type(error).__name__}")

    def _tried(self) -> tuple[Outcome, bool]:
        """One try: its outcome, and whether another one may help."""
        name = self._channel.name
        try:
            if self._receipts is not None and not self._receipts.claimed(self._alert, name):
                return Outcome(name, None), False
        except EmsegError as error:
            return Outcome(name, "failed", f"no receipt can be written: {error}"), error.retry_is_safe
        state: State = "delivered"
        reason, again = "", False
        try:
            self._channel.deliver(self._alert)
        except EmsegError as error:
            state = "unsure" if isinstance(error, UnsureError) else "failed"
            reason, again = str(error), isinstance(error, TransientError)
        return Outcome(name, state, reason), self._settled(state, reason) and again

    def _settled(self, state: State, reason: str) -> bool:
        """Write the result into the receipt. Where that fails the claim stays, and nobody uses the channel again."""
        try:
            if self._receipts is not None:
                self._receipts.settle(self._alert, self._channel.name, state, reason)
        except EmsegError as error:
            _log.error("the receipt of alert %s stays open: %s", self._alert.dedupe_key, error)
            return False
        return True
