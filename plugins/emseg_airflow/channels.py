"""The channels of this deployment: the log, and one for each Connection that there is.

One whose Connection cannot be used is told in the log and left out: it keeps the alert from no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import SecretStr

from emseg.errors import EmsegError
from emseg_airflow.connections import webhook

if TYPE_CHECKING:
    from emseg.alerts import Channel


def channels(log: logging.Logger) -> list[Channel]:
    """The log first, then webhook, Slack and mail, where they are configured."""
    from emseg.alerts import LogChannel

    found: list[Channel] = [LogChannel(log)]
    for opened in CHANNELS:
        try:
            channel = opened()
        except EmsegError as error:
            log.error("an alert cannot be sent this way: %s", error)
            continue
        found += [] if channel is None else [channel]
    return found


def _webhook() -> Channel | None:
    from emseg.alerts import WebhookChannel

    address = webhook()
    return None if address is None else WebhookChannel(SecretStr(address.url), http_hosts=address.http_hosts)


CHANNELS: tuple[Callable[[], Channel | None], ...] = (_webhook,)
"""Each gives its channel, or None where its Connection is missing; EmsegError where it cannot be used."""
