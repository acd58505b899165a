"""Sending one alert through every channel, whatever happens to the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from emseg.alerts.alert import Alert
from emseg.alerts.channels import Channel
from emseg.errors import EmsegError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """What became of an alert in one channel; `reason` is empty where it was delivered."""

    channel: str
    delivered: bool
    reason: str = ""


def send(alert: Alert, channels: Iterable[Channel]) -> tuple[Receipt, ...]:
    """Deliver to each channel in order; a failure is logged and returned, never raised: the run's result stands."""
    return tuple(_delivered(alert, channel) for channel in channels)


def _delivered(alert: Alert, channel: Channel) -> Receipt:
    try:
        channel.deliver(alert)
    except EmsegError as error:
        _log.warning("alert %s was not delivered through %s: %s", alert.dedupe_key, channel.name, error)
        return Receipt(channel.name, delivered=False, reason=str(error))
    return Receipt(channel.name, delivered=True)
