"""Mail is tried with smtplib against a server that speaks SMTP, and that misbehaves at every point of a delivery."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.alerts.mail_server import MailServer, mail_server
from tests.refusals import refused

from emseg.alerts import MailChannel, UnsureError, WorstPlace, as_text
from emseg.alerts.mail import message_of
from emseg.errors import EmsegError, PermanentError, TransientError

SECRET = "canary-in-the-answer"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def channel(server: MailServer, *recipients: str) -> MailChannel:
    @contextmanager
    def connect():
        with smtplib.SMTP("127.0.0.1", server.port, timeout=0.5) as client:
            yield client

    return MailChannel(connect, "127.0.0.1", "emseg@example.org", recipients or ("ann@example.org",))


def test_each_recipient_gets_one_mail_of_text_and_html(server, alert):
    channel(server, "ann@example.org", "bo@example.org").deliver(alert)
    ((sender, recipients, message),) = server.taken
    assert (sender, recipients) == ("emseg@example.org", ["ann@example.org", "bo@example.org"])
    assert message["Subject"] == "[error] demo: Quality gate failed"
    assert message["Message-ID"] == f"<{alert.dedupe_key}@example.org>"
    assert message.get_body(("plain",)).get_content().splitlines() == as_text(alert).splitlines()
    html = message.get_body(("html",)).get_content()
    assert '<a href="https://example.org/report.html">Report</a>' in html
    assert "vi_split: 2.5 (release 3: 2, +0.5)" in html


def test_no_text_becomes_a_header_or_a_tag(server, alert):
    """Kills a title with a line break, which would begin a header, and one with a tag, which would begin a script."""
    evil = alert.model_copy(
        update={
            "title": "Task x failed\r\nBcc: eve@example.org\r\n\r\n<script>x</script>",
            "dataset": "a\nTo: eve@example.org",
            "reasons": ("<img src=x onerror=alert(1)>\n.\n", "Zähne \u202e\u2603"),
            "links": {"<b>": "javascript:alert(1)", "ok": 'https://x/"><script>'},
            "places": (WorstPlace(text="<i>", link="https://x/#!%7B"),),
        }
    )
    channel(server).deliver(evil)
    ((_, recipients, message),) = server.taken
    assert recipients == ["ann@example.org"]
    assert "Bcc" not in message
    assert message.get_all("To") == ["ann@example.org"]
    html = message.get_body(("html",)).get_content()
    assert not any(tag in html for tag in ("<script", "<img", "<i>", "<b>", 'href="javascript'))
    assert "\u2603" in message.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("command", "answer", "kind", "said"),
    [
        ("220", "421 busy", TransientError, "SMTP 421"),
        ("220", "", TransientError, "SMTPServerDisconnected"),
        ("220", "hang", TransientError, "SMTPServerDisconnected"),
        ("MAIL", "451 later", TransientError, "SMTP 451"),
        ("MAIL", "550 no", PermanentError, "SMTP 550"),
        ("RCPT", "450 later", TransientError, "SMTP 450"),
        ("RCPT", "550 no", PermanentError, "SMTP 550"),
        ("DATA", "451 later", TransientError, "SMTP 451"),
        (".", "452 full", TransientError, "SMTP 452"),
        (".", "554 spam", PermanentError, "SMTP 554"),
        (".", "", UnsureError, "SMTPServerDisconnected"),
        (".", "hang", UnsureError, "SMTPServerDisconnected"),
    ],
)
@pytest.mark.fault("F22")
def test_every_fault_says_whether_the_mail_may_have_arrived(command, answer, kind, said, server, alert):
    """Kills a second mail after one whose confirmation was lost, and silence after one that was refused."""
    server.answers[command] = f"{answer} {SECRET}" if answer not in {"", "hang"} else answer
    with refused(kind, "127.0.0.1", said) as caught:
        channel(server).deliver(alert)
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value) + repr(caught.value.__cause__)


def test_a_closed_port_is_transient(alert):
    with mail_server() as gone:
        pass
    with refused(TransientError, "127.0.0.1", "ConnectionRefusedError"):
        channel(gone).deliver(alert)


@pytest.mark.parametrize(
    "recipients", [(), ("",), ("ann",), ("ann@example.org\r\nBcc: eve@example.org",), ("ann@example.org eve@x",)]
)
def test_an_address_that_is_none_is_refused(recipients):
    with pytest.raises(EmsegError) as caught:
        MailChannel(lambda: None, "mail", "emseg@example.org", recipients)
    assert isinstance(caught.value, PermanentError)


def test_mails_of_one_cause_have_one_id(alert):
    ids = {message_of(each, "a@b.org", ("c@d.org",))["Message-ID"] for each in (alert, alert.model_copy())}
    assert len(ids) == 1
