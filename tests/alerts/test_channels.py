"""Webhooks are tried with real requests against a real server on this computer."""

from __future__ import annotations

import logging
import socket
import time

import pytest
from pydantic import SecretStr
from tests.refusals import refused

from emseg.alerts import LogChannel, UnsureError, WebhookChannel, as_text
from emseg.errors import EmsegError, PermanentError, TransientError

TOKEN = "T0KEN-canary"


def channel(url: str, **options) -> WebhookChannel:
    return WebhookChannel(SecretStr(url), **options)


def test_a_webhook_receives_text_and_the_whole_alert(receiver, alert):
    channel(receiver.url).deliver(alert)
    ((path, authorization, body),) = receiver.received
    assert path == f"/hooks/{TOKEN}?key={TOKEN}"
    assert authorization is None
    assert body["text"] == as_text(alert)
    assert body["alert"]["reasons"] == list(alert.reasons)
    assert body["alert"]["dedupe_key"] == alert.dedupe_key


@pytest.mark.usefixtures("foreign_shell")
def test_a_receiver_on_this_computer_is_reached_whatever_is_in_the_shell(receiver, alert):
    channel(receiver.url).deliver(alert)
    assert receiver.received[0][1] is None


@pytest.mark.parametrize("status", [500, 503, 429, 408])
@pytest.mark.fault("F22")
def test_an_answer_that_may_change_is_transient(status, receiver, alert):
    receiver.status = status
    with refused(TransientError, "127.0.0.1", f"HTTP {status}"):
        channel(receiver.url).deliver(alert)


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_got_no_answer_leaves_it_unsure(status, receiver, alert):
    """Kills a second message: what stands behind the gateway may have taken the first."""
    receiver.status = status
    with refused(UnsureError, "127.0.0.1", f"HTTP {status}"):
        channel(receiver.url).deliver(alert)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_permanent(status, receiver, alert):
    receiver.status = status
    with refused(PermanentError, "127.0.0.1", f"HTTP {status}"):
        channel(receiver.url).deliver(alert)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_never_followed(status, receiver, alert):
    """Kills the default of `requests`, which would carry the alert to wherever the answer points."""
    receiver.status, receiver.headers = status, {"Location": receiver.url.replace("hooks", "elsewhere")}
    with refused(PermanentError, "127.0.0.1", f"HTTP {status}"):
        channel(receiver.url).deliver(alert)
    assert len(receiver.received) == 1


@pytest.mark.fault("F22")
def test_a_slow_receiver_is_given_up_after_the_timeout(receiver, alert):
    receiver.delay_s = 3
    began = time.monotonic()
    with pytest.raises(UnsureError, match="Timeout"):
        channel(receiver.url, timeout_s=0.2).deliver(alert)
    assert time.monotonic() - began < 2


def test_a_broken_connection_is_unsure_and_a_closed_port_is_transient(receiver, alert):
    """Kills one class for both: after a broken connection the receiver may have the alert."""
    receiver.closes = True
    with refused(UnsureError, "127.0.0.1", "ConnectionError"):
        channel(receiver.url).deliver(alert)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransientError):
            channel(f"http://127.0.0.1:{unused.getsockname()[1]}/{TOKEN}").deliver(alert)


@pytest.mark.parametrize("fault", ["refused", "error", "slow", "closed", "none"])
def test_the_address_of_a_webhook_is_in_no_error_and_no_log(fault, receiver, alert, caplog):
    """The canary is the token in the path and the query. Kills `str(error)` of requests and urllib3's debug lines."""
    caplog.set_level(logging.DEBUG)
    receiver.status = {"refused": 403, "error": 500}.get(fault, 200)
    receiver.delay_s, receiver.closes = (1 if fault == "slow" else 0), fault == "closed"
    hook = channel(receiver.url, timeout_s=0.3)
    texts = [hook.host, repr(hook)]
    try:
        hook.deliver(alert)
    except EmsegError as error:
        texts += [str(error), repr(error), repr(error.__cause__)]
    assert TOKEN not in " ".join(texts) + caplog.text
    assert (len(texts) == 2) == (fault == "none")


def test_urllib3_logs_again_afterwards(receiver, alert, caplog):
    caplog.set_level(logging.DEBUG)
    channel(receiver.url).deliver(alert)
    logging.getLogger("urllib3.connectionpool").debug("heard")
    assert "heard" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"http://example.org/{TOKEN}",
        f"http://10.0.0.1/{TOKEN}",
        f"http://127.0.0.1.example.org/{TOKEN}",
        f"http://127.0.0.1@example.org/{TOKEN}",
        f"ftp://127.0.0.1/{TOKEN}",
        f"file:///{TOKEN}",
        f"http://[{TOKEN}",
        f"/{TOKEN}",
        "",
    ],
)
def test_plain_http_to_elsewhere_and_other_schemes_are_refused_without_a_request(url):
    with pytest.raises(PermanentError) as refused:
        channel(url)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("url", ["https://example.org/x", "https://127.0.0.1/x", "http://127.0.0.1:1/x"])
def test_https_and_hosts_of_the_deployment_are_accepted(url):
    assert channel(url).name == "webhook"


def test_a_listed_host_may_use_http():
    assert channel("http://chat.internal:8080/x", http_hosts={"chat.internal"}).host == "chat.internal"


@pytest.mark.parametrize(("severity", "level"), [("info", "INFO"), ("warning", "WARNING"), ("error", "ERROR")])
def test_the_log_channel_writes_the_text_at_its_level(severity, level, alert, caplog):
    caplog.set_level(logging.DEBUG)
    LogChannel(logging.getLogger("people")).deliver(alert.model_copy(update={"severity": severity}))
    (record,) = caplog.records
    assert record.levelname == level
    assert "VI split of the volume is 2.5 bits" in record.getMessage()


def test_percent_signs_in_an_alert_are_text(alert, caplog):
    """Kills a message used as its own format."""
    LogChannel(logging.getLogger("people")).deliver(alert.model_copy(update={"title": "100 %s"}))
    assert "100 %s" in caplog.records[0].getMessage()
