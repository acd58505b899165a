"""The board of one server: the objects that say who holds which of its request slots, and who waits for one.

    requests/SERVER/slots/0007.json            empty: slot 7 is free; else who holds it (sealed)
    requests/SERVER/waiting/GROUP/PROCESS.json a process that waits; it writes the object again while it does

A slot is changed by conditional writes only. Nobody compares clocks: each process watches the listing, and takes a slot
over when its version stayed the same for `silent_s` on the watcher's own monotonic clock.

Slots have *homes*. With runs A and B, even slots are A's and odd ones B's, for as long as both have something to wait
for: so the order of names, which all see alike, shares them out, and nobody counts what others hold.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar
from uuid import uuid4

from pydantic import ConfigDict

from emseg.config.base import REQUESTS
from emseg.config.connections import MOST_REQUESTS
from emseg.errors import IntegrityError, PermanentError
from emseg.store.ahead import ahead
from emseg.store.objects import ObjectMissingError, ObjectStore, StoredObject, join_key
from emseg.store.sealed import Form
from emseg.store.slot_view import BoardView, SlotTimes

HOME_S = 30.0
"""With more runs than slots, homes move on so often, by the clock of the store."""

_SLOT = re.compile(r"slots/(\d{4})\.json")
_WAITING = re.compile(r"waiting/([0-9a-f]{16})/([0-9a-f]{32})\.json")


@dataclass(frozen=True)
class SlotHolder:
    """Who holds a slot or waits for one, for people. `turn` is another at every write, so that watchers see life."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    group: str
    process: str
    turn: str


class SlotBoard:
    """Slots 0 to `limit` - 1 of the server at `url`, for one process of `group` (a run; `""`: of none)."""

    def __init__(
        self, store: ObjectStore, url: str, limit: int, group: str = "", times: SlotTimes | None = None
    ) -> None:
        if not 1 <= limit <= MOST_REQUESTS:
            raise PermanentError("limiting requests", url, f"the limit is {limit}", f"Give 1 to {MOST_REQUESTS}")
        self.process = f"{os.uname().nodename} process {os.getpid()}"
        self.limit, self.group = limit, group or "a task or command by itself"
        self.times, self._store = times or SlotTimes(), store
        self._folder = join_key(REQUESTS, server_name(url))
        self._own = _short(group or uuid4().hex)
        self._waits_at = join_key(*self._folder.split("/"), "waiting", self._own, f"{uuid4().hex}.json")
        self._seen: dict[str, tuple[str, float]] = {}

    @property
    def address(self) -> str:
        """Where the board is, for people."""
        return self._store.address(self._folder)

    @property
    def own(self) -> str:
        """This process's group, as views name it."""
        return self._own

    def look(self) -> BoardView:
        """One listing."""
        listed = list(self._store.versions_under(self._folder))
        now, slots, waiting, latest = time.monotonic(), dict[int, tuple[StoredObject, str]](), Counter[str](), 0.0
        seen = {each.key: self._since(each.key, version, now) for each, version in listed}
        self._seen = seen
        patience_s = self.times.silent_s + 3 * self.times.waiting_s(len(listed))
        for each, version in listed:
            name = each.key.removeprefix(f"{self._folder}/")
            latest = max(latest, each.modified.timestamp())
            if (found := _SLOT.fullmatch(name)) and int(found[1]) < self.limit:
                slots[int(found[1])] = each, version
            elif (found := _WAITING.fullmatch(name)) and each.key != self._waits_at:
                waiting[found[1]] += now - seen[each.key][1] < patience_s
        return self._view(slots, +waiting, latest, now)

    def take(self, slot: int, version: str | None) -> bool:
        """Try to take a slot that was free or silent, or to renew one, in the version that a view showed."""
        key, record = self._slot(slot), self._record(self._slot(slot))
        return self._store.put_if_absent(key, record) if version is None else self._replaced(key, record, version)

    def give_back(self, slot: int, version: str) -> None:
        """Free a slot that is held in this version."""
        self._replaced(self._slot(slot), b"", version)

    def wait(self) -> None:
        """Say that this process waits; again after `renew_s`."""
        self._store.put(self._waits_at, self._record(self._waits_at), "application/json")

    def wait_no_more(self) -> None:
        """Say that it does not."""
        self._store.delete(self._waits_at)

    def holders(self) -> Counter[str]:
        """Slots by who holds them, `run (host process 7)`. It reads every slot: for messages."""
        return Counter(name for name in ahead(self._holder, range(self.limit)) if name)

    def _view(
        self, slots: Mapping[int, tuple[StoredObject, str]], waiting: Counter[str], latest: float, now: float
    ) -> BoardView:
        free: dict[int, str | None] = {slot: None for slot in range(self.limit) if slot not in slots}
        free |= {slot: version for slot, (each, version) in slots.items() if not each.size}
        taken = {slot: version for slot, (_, version) in slots.items() if slot not in free}
        silent = {
            slot: version
            for slot, version in taken.items()
            if now - self._seen[slots[slot][0].key][1] >= self.times.silent_s
        }
        held = {slot: version for slot, version in taken.items() if slot not in silent}
        groups = tuple(sorted({self._own, *waiting}))
        moved = int(latest // HOME_S) if len(groups) > self.limit else 0
        return BoardView(free, silent, held, waiting, groups, moved)

    def _since(self, key: str, version: str, now: float) -> tuple[str, float]:
        """The version, and since when this process has seen it."""
        before = self._seen.get(key)
        return before if before is not None and before[0] == version else (version, now)

    def _slot(self, slot: int) -> str:
        return f"{self._folder}/slots/{slot:04}.json"

    def _record(self, key: str) -> bytes:
        return _FORM.seal(SlotHolder(self.group, self.process, uuid4().hex), key)

    def _replaced(self, key: str, data: bytes, version: str) -> bool:
        return self._store.replace_if(key, data, version)

    def _holder(self, slot: int) -> str:
        key = self._slot(slot)
        try:
            data = self._store.get(key)
            found = _FORM.open(data, key, self._store.address(key)) if data else None
        except ObjectMissingError:
            return ""
        except (IntegrityError, PermanentError):
            return "a holder whose record cannot be read"
        return f"{found.group} ({found.process})" if found else ""


def server_name(url: str) -> str:
    """How keys name a server: a digest, because an address may be nobody's business."""
    return _short(url.rstrip("/"))


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


_FORM = Form(
    "request-slot",
    SlotHolder,
    2,
    "Wait: it is taken over when nobody has changed it for a while",
    "Stop the runs of another emseg that use this server, then delete the object",
)
