"""Ways an alert leaves the run: the log, and a webhook (chat, pager) that takes a JSON POST.

A channel that cannot deliver raises an EmsegError whose text shows the receiver's host and nothing else of its address:
the path or query of a webhook is usually its password. The class says what may follow: TransientError and
PermanentError mean that nothing was delivered, UnsureError that nobody knows. A webhook goes to a public host over
https, or to a host that the deployment lists (`emseg/outside_addresses.py`): nobody can have a worker post to its own
network.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import requests
from pydantic import SecretStr
from urllib3.exceptions import NewConnectionError

from emseg.alerts.alert import Alert, as_text
from emseg.alerts.errors import UnsureError
from emseg.alerts.outside_adapter import OutsideAdapter
from emseg.errors import PermanentError, TransientError
from emseg.outside_addresses import checked_address, inside_hosts, is_this_computer

_LEVEL = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_WORTH_REPEATING = frozenset({408, 425, 429})
_GATEWAY_WITHOUT_AN_ANSWER = frozenset({502, 504})


class Channel(Protocol):
    """Somewhere an alert can go; `name` is its name in receipts and fit for a log."""

    name: str

    def deliver(self, alert: Alert) -> None:
        """Hand the alert over; an EmsegError says why that was not possible."""


class LogChannel:
    """Writes the alert's text to a logger, at the level of its severity."""

    name = "log"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def deliver(self, alert: Alert) -> None:
        """Write the text as one record."""
        self._logger.log(_LEVEL[alert.severity], "%s", as_text(alert))


class WebhookChannel:
    """POSTs `{"text": ..., "alert": {...}}` as JSON. Redirects are refused: they could carry the alert anywhere."""

    name = "webhook"

    def __init__(self, url: SecretStr, timeout_s: float = 10.0, http_hosts: Collection[str] = ()) -> None:
        """Check the address: https, or http to one of `http_hosts`; the host outside. PermanentError otherwise."""
        self._url, self._timeout_s = url, timeout_s
        self.host = checked_address(url.get_secret_value(), f"preparing {self.name}", http_hosts)

    def message(self, alert: Alert) -> dict[str, Any]:
        """The JSON that is posted; a receiver can fold alerts of one `dedupe_key`."""
        return {"text": as_text(alert), "alert": alert.model_dump(mode="json") | {"dedupe_key": alert.dedupe_key}}

    def deliver(self, alert: Alert) -> None:
        """Post the alert.

        TransientError where later may be better (no connection, 429, 5xx). UnsureError where the alert was sent and no
        answer came, or a gateway says so (502, 504). PermanentError for any other answer.
        """
        body = json.dumps(self.message(alert)).encode()
        try:
            with _silent_urllib3(), requests.Session() as session:
                if self.host not in inside_hosts():
                    for scheme in ("http://", "https://"):
                        session.mount(scheme, OutsideAdapter())
                session.auth = lambda request: request  # or requests would look for a password in .netrc
                answer = session.post(
                    self._url.get_secret_value(),
                    data=body,
                    headers={"Content-Type": "application/json"},
                    timeout=self._timeout_s,
                    proxies={"no_proxy": self.host} if is_this_computer(self.host) else None,
                    allow_redirects=False,
                    stream=True,
                )
                status = answer.status_code
        except requests.RequestException as error:
            # The text of the exception holds the whole address.
            kind = TransientError if _never_connected(error) else UnsureError
            raise self._failed(kind, type(error).__name__) from None
        if status in _GATEWAY_WITHOUT_AN_ANSWER:
            raise self._failed(UnsureError, f"HTTP {status}")
        if status >= 500 or status in _WORTH_REPEATING:
            raise self._failed(TransientError, f"HTTP {status}")
        if not 200 <= status < 300:
            raise self._failed(PermanentError, f"HTTP {status}")

    def _failed(self, kind: type[TransientError | PermanentError], found: str) -> TransientError | PermanentError:
        return kind("sending an alert", f"{self.name} {self.host}", found, "Check the address and its receiver")


def _never_connected(error: requests.RequestException) -> bool:
    """Whether no byte of the alert was sent: no address, no connection, no TLS."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


@contextmanager
def _silent_urllib3() -> Iterator[None]:
    """No lines of urllib3 meanwhile: at level DEBUG they hold the path of the address."""
    logger = logging.getLogger("urllib3.connectionpool")

    def nothing(_record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)
