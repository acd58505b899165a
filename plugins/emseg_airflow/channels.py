"""The channels of this deployment: the log, and one for each Connection that there is.

One whose Connection cannot be used is told in the log and left out: it keeps the alert from no other.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from airflow.sdk.exceptions import AirflowException
from pydantic import SecretStr

from emseg.errors import EmsegError, PermanentError, TransientError
from emseg.outside_addresses import inside_hosts, is_this_computer
from emseg_airflow.connections import SLACK, SMTP, optional_connection, webhook

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


def _slack() -> Channel | None:
    """Airflow's provider tells the address. Its client is not used: it repeats requests and follows redirects."""
    from emseg.alerts import SlackChannel

    if optional_connection(SLACK) is None:
        return None
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    try:
        url = SlackWebhookHook(slack_webhook_conn_id=SLACK).client.url
    except AirflowException:
        remedy = "Give the type slackwebhook, and as password the address of an incoming webhook or its token"
        raise PermanentError("reading an Airflow Connection", SLACK, "it has no password", remedy) from None
    return SlackChannel(SecretStr(url))


def _mail() -> Channel | None:
    from emseg.alerts import MailChannel

    connection = optional_connection(SMTP)
    if connection is None:
        return None
    host, extra = connection.host or "", connection.extra_dejson
    if extra.get("disable_ssl") and extra.get("disable_tls") and not _may_be_read(host):
        remedy = "Take out disable_ssl (port 465) or disable_tls (port 587) of its extra"
        raise PermanentError("reading an Airflow Connection", SMTP, f"mail to {host} would not be encrypted", remedy)
    to = extra.get("to") or ()
    recipients = [each.strip() for each in (to.split(",") if isinstance(to, str) else to)]
    return MailChannel(_smtp_client, host, str(extra.get("from_email") or ""), recipients)


def _may_be_read(host: str) -> bool:
    return is_this_computer(host) or host.lower() in inside_hosts()


@contextmanager
def _smtp_client() -> Iterator[smtplib.SMTP]:
    """A client that Airflow's provider has logged in. Its hook does not send: it would send again after any error."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    hook = SmtpHook(smtp_conn_id=SMTP)
    try:
        hook.get_conn()
    except (AirflowException, RuntimeError, ValueError) as error:  # the last two for wrong values of its extra
        raise TransientError("sending an alert", "mail server", type(error).__name__, "Check the Connection") from None
    client = cast("smtplib.SMTP", hook._smtp_client)
    try:
        yield client
    finally:
        client.close()


CHANNELS: tuple[Callable[[], Channel | None], ...] = (_webhook, _slack, _mail)
"""Each gives its channel, or None where its Connection is missing; EmsegError where it cannot be used."""
