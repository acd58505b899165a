"""One alert through several channels: real requests, real threads, receipts in a store."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time

import pytest
from pydantic import SecretStr
from tests.memory_store import MemoryStore

from emseg.alerts import LogChannel, Outcome, Receipts, UnsureError, WebhookChannel, send
from emseg.errors import PermanentError, TransientError
from emseg.store import FolderStore

TOKEN = "T0KEN-canary"


class Recorder:
    """A channel that is told what to raise, one error a try."""

    def __init__(self, name="recorder", errors=()):
        self.name, self.errors, self.got = name, list(errors), []

    def deliver(self, alert):
        self.got.append(alert)
        if self.errors:
            error = self.errors.pop(0)
            if error is not None:
                raise error


def transient():
    return TransientError("sending", "chat", "HTTP 503", "Later")


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def receipts(store):
    return Receipts(store, "demo", "run-1")


def deliveries(receipts):
    (receipt,) = receipts.of_this_run()
    return {name: each.state for name, each in receipt.deliveries.items()}


def sent(alert, channels, receipts, **options):
    receipts.of(alert)
    return send(alert, channels, receipts, **{"pauses_s": (), **options})


@pytest.mark.fault("F22")
def test_a_failing_channel_stops_neither_the_others_nor_the_run(receiver, alert, receipts, caplog):
    """Kills a loop that ends at the first failure, and an alert that turns a good run into a failed one."""
    receiver.status = 500
    hook = WebhookChannel(SecretStr(receiver.url))
    outcomes = sent(alert, [hook, LogChannel(logging.getLogger("people")), Recorder()], receipts)
    assert [(o.channel, o.state) for o in outcomes] == [
        ("webhook", "failed"),
        ("log", "delivered"),
        ("recorder", "delivered"),
    ]
    assert "HTTP 500" in outcomes[0].reason
    assert len(receiver.received) == 1
    assert TOKEN not in caplog.text + repr(outcomes) + repr(receipts.of_this_run())


def test_what_was_not_delivered_is_logged_with_the_reason(receiver, alert, receipts, caplog):
    receiver.status = 404
    sent(alert, [WebhookChannel(SecretStr(receiver.url))], receipts)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert alert.dedupe_key in record.getMessage()
    assert "HTTP 404" in record.getMessage()


def test_no_channels_no_outcomes(alert, receipts):
    assert send(alert, [], receipts) == ()


def test_a_second_call_sends_only_through_what_failed(alert, receipts):
    """Kills a retry that sends everything again, and one that gives a channel up after its first failure."""
    good, bad, dubious = (
        Recorder("good"),
        Recorder("bad", [PermanentError("sending", "chat", "HTTP 404", "Mend it")]),
        Recorder("dubious", [UnsureError("sending", "chat", "no answer", "Look there")]),
    )
    sent(alert, [good, bad, dubious], receipts)
    assert deliveries(receipts) == {"good": "delivered", "bad": "failed", "dubious": "unsure"}
    outcomes = sent(alert, [good, bad, dubious], receipts)
    assert [len(each.got) for each in (good, bad, dubious)] == [1, 2, 1]
    assert [o.earlier for o in outcomes] == [True, False, True]
    assert deliveries(receipts)["bad"] == "delivered"


def test_a_channel_that_may_come_back_is_tried_again_in_one_call_and_not_for_ever(alert, receipts):
    """Kills endless repeats, and repeats of what no repetition changes."""
    back, gone = Recorder("back", [transient()]), Recorder("gone", [transient() for _ in range(9)])
    wrong = Recorder("wrong", [PermanentError("sending", "chat", "HTTP 404", "Mend it")])
    sent(alert, [back, gone, wrong], receipts, pauses_s=(0.01, 0.01))
    assert [len(each.got) for each in (back, gone, wrong)] == [2, 3, 1]
    assert deliveries(receipts) == {"back": "delivered", "gone": "failed", "wrong": "failed"}
    assert receipts.of_this_run()[0].deliveries["gone"].tries == 3


@pytest.mark.fault("F22")
def test_a_channel_that_hangs_keeps_nobody_and_is_never_used_again(alert, receipts):
    """Kills a wait without an end, and a second message through a channel whose first may still arrive."""
    release, hanging, good = threading.Event(), Recorder("hanging"), Recorder("good")
    hanging.deliver = lambda alert: (hanging.got.append(alert), release.wait(30))
    began = time.monotonic()
    outcomes = sent(alert, [hanging, good], receipts, longest_s=0.3)
    assert time.monotonic() - began < 10
    assert [(o.channel, o.state) for o in outcomes] == [("hanging", "claimed"), ("good", "delivered")]
    sent(alert, [hanging, good], Receipts(receipts._store, "demo", "run-1"), longest_s=0.3)
    release.set()
    assert (len(hanging.got), len(good.got)) == (1, 1)


def test_two_notifiers_at_once_send_once_through_each_channel(alert, store):
    """Kills look first, then send: both would find that nobody has sent."""
    channels = [Recorder(name) for name in ("log", "webhook", "slack")]
    start = threading.Barrier(8)

    def notifier():
        receipts = Receipts(store, "demo", "run-1")
        start.wait()
        sent(alert, channels, receipts)

    threads = [threading.Thread(target=notifier) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(channel.got) for channel in channels] == [1, 1, 1]
    assert set(deliveries(Receipts(store, "demo", "run-1")).values()) == {"delivered"}


def test_a_kill_between_claim_and_delivery_is_seen_and_sends_nothing_again(alert, store):
    """Kills a claim that expires. At most once is what holds, and the receipt shows which channel is unsure."""
    killed, good = Receipts(store, "demo", "run-1"), Recorder("slack")
    killed.of(alert)
    assert killed.claimed(alert, "slack")
    later = Receipts(store, "demo", "run-1")
    (outcome,) = sent(alert, [good], later)
    assert (outcome.earlier, good.got) == (True, [])
    assert deliveries(later) == {"slack": "claimed"}


def test_a_store_that_stops_between_the_claim_and_the_result_leaves_the_claim(alert, store, receipts, caplog):
    """Kills a second message after a delivery whose receipt could not be written."""
    receipts.of(alert)
    channel = Recorder("slack", [transient()])

    def down(*_):
        raise TransientError("writing", "s3", "no answer", "Later")

    store.replace_if, plain = lambda *given: (setattr(store, "replace_if", down), plain(*given))[1], store.replace_if
    sent(alert, [channel], receipts, pauses_s=(0.01,))
    store.replace_if = plain
    assert deliveries(receipts) == {"slack": "claimed"}
    sent(alert, [channel], receipts)
    assert len(channel.got) == 1
    assert "stays open" in caplog.text


def test_without_receipts_every_channel_is_used(alert):
    channel = Recorder()
    assert send(alert, [channel], None) == (Outcome("recorder", "delivered"),)
    assert len(channel.got) == 1


def test_a_programming_error_in_a_channel_is_not_swallowed(alert, receipts):
    """Only emseg's own errors mean `not delivered`; a bug must be seen, and the others have their turn first."""
    broken, good = Recorder("broken", [ZeroDivisionError()]), Recorder("good")
    with pytest.raises(ZeroDivisionError):
        sent(alert, [broken, good], receipts)
    assert deliveries(receipts) == {"broken": "claimed", "good": "delivered"}


KILLED = """
import sys, time
from pathlib import Path
from emseg.alerts import Alert, Receipts, send
from emseg.store import FolderStore

class Slow:
    name = "slow"
    def deliver(self, alert):
        print("delivering", flush=True)
        time.sleep(60)

class Good:
    name = "good"
    def deliver(self, alert):
        pass

alert = Alert.model_validate_json(sys.argv[2])
receipts = Receipts(FolderStore(Path(sys.argv[1])), "demo", "run-1")
receipts.of(alert)
send(alert, [Good(), Slow()], receipts)
"""


@pytest.mark.fault("F22")
def test_a_notifier_that_is_killed_at_its_work_leaves_a_receipt_that_says_so(alert, tmp_path):
    """Kills a claim that is kept in memory, or written after the message. What another channel got stays delivered."""
    store = FolderStore(tmp_path)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), alert.model_dump_json()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"delivering\n"
        receipts, ends = Receipts(store, "demo", "run-1"), time.monotonic() + 30
        while deliveries(receipts).get("good") != "delivered":
            assert time.monotonic() < ends
        process.kill()
    slow, good, other = Recorder("slow"), Recorder("good"), Recorder("other")
    sent(alert, [slow, good, other], receipts)
    assert [len(each.got) for each in (slow, good, other)] == [0, 0, 1]
    assert deliveries(receipts) == {"slow": "claimed", "good": "delivered", "other": "delivered"}
