"""Mail: the alert as text and as simple HTML, in one message to all recipients.

Headers take one line each and nothing that comes from outside but the title. What the server answers is told by its
number alone.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from email.message import EmailMessage
from email.utils import formatdate
from html import escape

from emseg.alerts.alert import Alert, WorstPlace, as_text
from emseg.alerts.errors import UnsureError
from emseg.errors import PermanentError, TransientError, printable
from emseg.quality.page import link

Connect = Callable[[], AbstractContextManager[smtplib.SMTP]]
"""Opens a client that is logged in, and closes it."""

_log = logging.getLogger(__name__)

_REMEDY = "Check the mail server, its Connection and the addresses"
_STYLE = "font: 14px sans-serif; max-width: 60em"


class MailChannel:
    """Sends a mail through an SMTP server; `host` is for messages."""

    name = "mail"

    def __init__(self, connect: Connect, host: str, sender: str, recipients: Sequence[str]) -> None:
        """Check the addresses: PermanentError unless each is one line with an `@`, and there is a recipient."""
        for address in (sender, *recipients):
            if "@" not in address or not address.isprintable() or " " in address:
                raise PermanentError("preparing mail", f"server {host}", "an address is none", "Write name@example.org")
        if not recipients:
            raise PermanentError("preparing mail", f"server {host}", "there is no recipient", "Name one")
        self._connect, self.host, self._sender, self._recipients = connect, host, sender, list(recipients)

    def deliver(self, alert: Alert) -> None:
        """Send one mail. TransientError where later may be better, UnsureError where the connection broke meanwhile."""
        message = message_of(alert, self._sender, self._recipients)
        with ExitStack() as opened:
            try:
                client = opened.enter_context(self._connect())
            except smtplib.SMTPResponseException as error:
                raise self._refused(error.smtp_code) from None
            except OSError as error:  # all errors of smtplib are one; no byte of the message was sent
                raise self._failed(TransientError, type(error).__name__) from None
            self._send(client, message)

    def _send(self, client: smtplib.SMTP, message: EmailMessage) -> None:
        try:
            refused = client.send_message(message, self._sender, self._recipients)
            if refused:
                _log.warning(
                    "mail server %s refused %d of %d recipients", self.host, len(refused), len(self._recipients)
                )
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(max(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPNotSupportedError as error:
            raise self._failed(PermanentError, type(error).__name__) from None
        except OSError as error:
            raise self._failed(UnsureError, type(error).__name__) from None

    def _refused(self, code: int) -> PermanentError | TransientError:
        return self._failed(TransientError if 400 <= code < 500 else PermanentError, f"SMTP {code}")

    def _failed(self, kind: type[TransientError | PermanentError], found: str) -> TransientError | PermanentError:
        return kind("sending an alert", f"mail server {self.host}", found, _REMEDY)


def message_of(alert: Alert, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The mail; its id is that of the cause, so that a reader's program can fold what comes twice."""
    message = EmailMessage()
    message["Subject"] = printable(" ".join(f"[{alert.severity}] {alert.dataset}: {alert.title}".split()))
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{alert.dedupe_key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(as_text(alert))
    message.add_alternative(_html(alert), subtype="html")
    return message


def _html(alert: Alert) -> str:
    about = f"dataset {escape(alert.dataset)}, run {escape(alert.run)}"
    links = [link(address, title) for title, address in alert.links.items()]
    parts = [
        f"<h2>{escape(f'[{alert.severity.upper()}] {alert.title}')}</h2><p>{about}</p>",
        _list([escape(reason) for reason in alert.reasons]),
        _list([escape(line) for line in alert.figure_lines()]),
        _list([_place(place) for place in alert.places]),
        _list(links),
    ]
    return f'<!doctype html><html lang="en"><body style="{_STYLE}">{"".join(parts)}</body></html>'


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def _place(place: WorstPlace) -> str:
    return escape(str(place)) + (f" {link(place.link, 'Open the place')}" if place.link else "")
