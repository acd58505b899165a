from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from emseg.alerts import LogChannel, Receipt, WebhookChannel, send

TOKEN = "T0KEN-canary"


@pytest.mark.fault("F22")
def test_a_failing_channel_stops_neither_the_others_nor_the_run(receiver, alert, caplog):
    """Kills a loop that ends at the first failure, and an alert that turns a good run into a failed one."""
    receiver.status = 500
    hook = WebhookChannel(SecretStr(receiver.url))
    people = LogChannel(logging.getLogger("people"))
    receipts = send(alert, [hook, people, hook, people])
    assert [(r.channel, r.delivered) for r in receipts] == [
        ("webhook 127.0.0.1", False),
        ("log", True),
        ("webhook 127.0.0.1", False),
        ("log", True),
    ]
    assert "HTTP 500" in receipts[0].reason
    assert len(receiver.received) == 2
    assert TOKEN not in caplog.text + repr(receipts)


def test_what_was_not_delivered_is_logged_with_the_reason(receiver, alert, caplog):
    receiver.status = 404
    send(alert, [WebhookChannel(SecretStr(receiver.url))])
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert alert.dedupe_key in record.getMessage()
    assert "HTTP 404" in record.getMessage()


def test_a_delivered_alert_leaves_a_receipt_without_a_reason(receiver, alert):
    assert send(alert, [WebhookChannel(SecretStr(receiver.url))]) == (Receipt("webhook 127.0.0.1", delivered=True),)


def test_no_channels_no_receipts(alert):
    assert send(alert, []) == ()


def test_a_programming_error_in_a_channel_is_not_swallowed(alert):
    """Only emseg's own errors mean `not delivered`; a bug must be seen."""

    class Broken:
        name = "broken"

        def deliver(self, alert):
            raise ZeroDivisionError(alert.title)

    with pytest.raises(ZeroDivisionError):
        send(alert, [Broken()])
