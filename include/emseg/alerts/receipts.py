"""Receipts: what became of each alert of a run in each channel, kept as `runs/RUN/alerts/CAUSE.json` of its dataset.

A channel is *claimed* by a conditional write before it is used, and the result is written after it. So two notifiers
at once, a retry, a clear or a second callback never send an alert twice through a channel. A notifier that is killed
between the two leaves the claim: nobody knows whether the message went out, it is not sent again, and the receipt shows
it. Never twice holds always; never lost holds but for such a kill, and for a receiver that took the message and gave no
answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal
from uuid import uuid4

from pydantic import Field

from emseg.alerts.alert import Alert
from emseg.config.base import Record
from emseg.errors import IntegrityError
from emseg.store import ObjectMissingError, ObjectStore, join_key
from emseg.store.sealed import Form

_log = logging.getLogger(__name__)

State = Literal["claimed", "delivered", "failed", "unsure"]


class Delivery(Record):
    """Of one channel: `claimed` is in work, or its notifier was killed; only what `failed` may be tried again."""

    state: State
    notifier: str = Field(description="Which process claimed it")
    tries: int = Field(ge=1)
    reason: str = ""


class Receipt(Record):
    """An alert, and what became of it by name of the channel."""

    alert: Alert
    deliveries: dict[str, Delivery] = Field(default_factory=dict)


_REMEDY = "Look at the channels for the alert, then remove the receipt: the next callback of the run writes it anew"
_FORM = Form("alert", Receipt, 2, _REMEDY, _REMEDY)


class Receipts:
    """The receipts of one run, as one notifier reads and writes them; threads may share it."""

    def __init__(self, store: ObjectStore, dataset: str, run: str) -> None:
        """`dataset` and `run` are plain parts of a key."""
        self._store, self._folder = store, join_key(dataset, "runs", run, "alerts")
        self._notifier = uuid4().hex

    def of_this_run(self) -> tuple[Receipt, ...]:
        """Every receipt of the run that can be read; a damaged one is told in the log."""
        found = []
        for key in self._store.keys_under(self._folder):
            try:
                found.append(self._read(key)[0])
            except IntegrityError as error:
                _log.error("what is left of an alert is not sent: %s", error)
        return tuple(found)

    def of(self, alert: Alert) -> Receipt:
        """The receipt of this alert, or of the one with its cause that was first; made where there is none."""
        key = self._key(alert)
        self._store.put_if_absent(key, _FORM.seal(Receipt(alert=alert), key))
        return self._read(key)[0]

    def claimed(self, alert: Alert, channel: str) -> bool:
        """Whether this notifier may use the channel now: nobody has, or it failed. Claims it."""

        def claim(found: Delivery | None) -> Delivery | None:
            if found is not None and found.state != "failed":
                return None
            return Delivery(state="claimed", notifier=self._notifier, tries=1 if found is None else found.tries + 1)

        return self._changed(alert, channel, claim)

    def settle(self, alert: Alert, channel: str, state: State, reason: str = "") -> None:
        """Write what became of a channel that this notifier has claimed."""

        def settled(found: Delivery | None) -> Delivery | None:
            if found is None or found.notifier != self._notifier or found.state != "claimed":
                return None
            return found.model_copy(update={"state": state, "reason": reason})

        self._changed(alert, channel, settled)

    def _changed(self, alert: Alert, channel: str, change: Callable[[Delivery | None], Delivery | None]) -> bool:
        key, written = self._key(alert), None
        while True:
            receipt, version = self._read(key)
            found = receipt.deliveries.get(channel)
            if written is not None and found == written:
                return True  # the reply to the write was lost
            written = change(found)
            if written is None:
                return False
            deliveries = {**receipt.deliveries, channel: written}
            data = _FORM.seal(receipt.model_copy(update={"deliveries": deliveries}), key)
            if self._store.replace_if(key, data, version):
                return True

    def _read(self, key: str) -> tuple[Receipt, str]:
        try:
            return _FORM.read_with_version(self._store, key)
        except ObjectMissingError as error:
            raise ObjectMissingError("reading the receipt of an alert", error.on, error.found, _REMEDY) from None

    def _key(self, alert: Alert) -> str:
        return f"{self._folder}/{alert.dedupe_key}.json"
