"""Receipts: sealed, bound to their run, and written by compare-and-swap."""

from __future__ import annotations

import json

import pytest
from tests.memory_store import MemoryStore
from tests.refusals import refused

from emseg.alerts import Receipts
from emseg.errors import IntegrityError


@pytest.fixture
def store():
    return MemoryStore()


def test_the_receipt_lies_with_its_run_and_keeps_the_first_words(alert, store):
    """Kills a second message that differs from what the other channels were told."""
    first = Receipts(store, "demo", "run-1").of(alert)
    again = Receipts(store, "demo", "run-1").of(alert.model_copy(update={"title": "other words"}))
    assert first == again
    assert list(store.objects) == [f"demo/runs/run-1/alerts/{alert.dedupe_key}.json"]
    assert json.loads(store.objects.popitem()[1])["kind"] == "alert"


def test_two_causes_have_two_receipts_and_another_run_has_none_of_them(alert, store):
    receipts = Receipts(store, "demo", "run-1")
    receipts.of(alert)
    receipts.of(alert.model_copy(update={"cause": "other"}))
    assert len(receipts.of_this_run()) == 2
    assert Receipts(store, "demo", "run-12").of_this_run() == ()


def test_only_the_notifier_that_claimed_settles(alert, store):
    """Kills a late notifier that writes `failed` over the claim of another one, so that it is sent again."""
    one, other = Receipts(store, "demo", "run-1"), Receipts(store, "demo", "run-1")
    one.of(alert)
    assert one.claimed(alert, "slack")
    assert not other.claimed(alert, "slack")
    other.settle(alert, "slack", "failed", "not mine")
    assert one.of_this_run()[0].deliveries["slack"].state == "claimed"
    one.settle(alert, "slack", "delivered")
    one.settle(alert, "slack", "failed", "too late")
    assert one.of_this_run()[0].deliveries["slack"].state == "delivered"


def test_a_claim_whose_reply_was_lost_is_ours(alert, store):
    """Kills a channel that nobody uses, because its owner takes its own claim for that of another."""
    receipts = Receipts(store, "demo", "run-1")
    receipts.of(alert)
    plain = store.replace_if

    def lossy(key, data, version):
        plain(key, data, version)
        store.replace_if = plain
        return False

    store.replace_if = lossy
    assert receipts.claimed(alert, "slack")


def test_a_damaged_receipt_is_told_and_the_others_are_read(alert, store, caplog):
    receipts = Receipts(store, "demo", "run-1")
    receipts.of(alert)
    receipts.of(alert.model_copy(update={"cause": "other"}))
    key = sorted(store.objects)[0]
    store.objects[key] = store.objects[key].replace(b"run-1", b"run-2")
    assert len(receipts.of_this_run()) == 1
    assert key in caplog.text


def test_a_damaged_receipt_is_not_believed(alert, store):
    """Kills `delivered` read out of a flipped bit."""
    receipts = Receipts(store, "demo", "run-1")
    receipts.of(alert)
    (key,) = store.objects
    store.objects[key] = store.objects[key].replace(b"demo", b"demp", 1)
    with refused(IntegrityError, f"memory://{key}"):
        receipts.of(alert)
