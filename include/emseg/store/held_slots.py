"""The request slots that one process holds: which of them lets a request through now, and what to do about each.

`turn` looks at the board once. It keeps a slot, or gives it back: when nothing uses it, when it is at home in another
run that waits, and when another process of its own run has waited for its turn. Then it takes what is wanted.

A slot that was not written for `hold_s` (its process was frozen, or lost the store) lets nothing through any more.
Others take it over later than that, so no two processes send under one slot.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from emseg.store.slot_board import SlotBoard
from emseg.store.slot_view import BoardView

_random = random.SystemRandom()


@dataclass
class HeldSlot:
    """A slot of this process. Times are of its monotonic clock: `written` is when the last write of it began."""

    number: int
    taken: float
    written: float
    used: float
    is_busy: bool = False
    is_leaving: bool = False


class HeldSlots:
    """The slots of one process. `lock` guards them; one thread at a time does what needs the store, without it."""

    def __init__(self, board: SlotBoard, lock: threading.Condition) -> None:
        self._board, self._times, self._lock = board, board.times, lock
        self._slots: dict[int, HeldSlot] = {}
        self._take_at = self._not_before = 0.0
        self._said_it_waits: float | None = None

    def idle(self) -> HeldSlot | None:
        """A slot that may let a request through now."""
        return next(self._idle(), None)

    def count_idle(self) -> int:
        """How many of them there are."""
        return sum(1 for _ in self._idle())

    def due(self, wanted: int) -> float | None:
        """When the board has to be looked at next, where `wanted` requests have no slot; None: never."""
        due = [self._take_at] if wanted else []
        due += [0.0] if self._said_it_waits is not None and not wanted else []
        for slot in self._slots.values():
            due.append(slot.written + self._times.renew_s)
            if not slot.is_busy:
                due.append(0.0 if slot.is_leaving else slot.used + self._times.linger_s)
        return max(min(due), self._not_before) if due else None

    def turn(self, wanted: int) -> None:
        """Look once; keep, give back and take what the view says. `wanted` requests have no slot."""
        view, now = self._board.look(), time.monotonic()
        self._forget_what_may_be_anothers(view, now)
        yielded = [slot for slot in list(self._slots.values()) if self._went_to_others(slot, view, now)]
        others = sum(view.waiting.values())
        # Who has just yielded waits like the others: they look in the meantime.
        may_take = not yielded and now >= self._take_at
        missing = wanted - (self._taken(view, wanted) if may_take else 0)
        self._say_whether_it_waits(missing > 0, now)
        if yielded or (missing > 0 and may_take):
            self._take_at = time.monotonic() + self._times.waiting_s(others) * _random.uniform(0.75, 1.25)

    def later(self) -> None:
        """Let a while go by before the next look: the store does not answer."""
        self._not_before = time.monotonic() + 5 * self._times.look_s

    def give_all_back(self) -> None:
        """Give back all that no request uses."""
        with self._lock:
            unused = [slot for slot in self._slots.values() if not slot.is_busy]
            for slot in unused:
                slot.is_leaving = True
        if unused or self._said_it_waits is not None:
            view = self._board.look()
            self._forget_what_may_be_anothers(view, time.monotonic())
            for slot in unused:
                self._give_back(slot, view)
            self._say_whether_it_waits(False, 0.0)

    def _idle(self) -> Iterator[HeldSlot]:
        now = time.monotonic()
        may = (slot for slot in self._slots.values() if not slot.is_busy and not slot.is_leaving)
        return (slot for slot in may if now < slot.written + self._times.hold_s)

    def _forget_what_may_be_anothers(self, view: BoardView, now: float) -> None:
        """A slot that is too old may have been taken over: then the version in the view is not of this process."""
        with self._lock:
            for slot in list(self._slots.values()):
                if now >= slot.written + self._times.hold_s or slot.number not in view.held:
                    del self._slots[slot.number]

    def _went_to_others(self, slot: HeldSlot, view: BoardView, now: float) -> bool:
        """Write the slot anew or give it back; whether it went because somebody waits."""
        is_wanted = self._is_wanted(slot, view, now)
        with self._lock:
            is_unused = not slot.is_busy and now - slot.used >= self._times.linger_s
            slot.is_leaving = slot.is_leaving or is_wanted or is_unused
            goes = slot.is_leaving and not slot.is_busy
        if goes:
            self._give_back(slot, view)
        elif now - slot.written >= self._times.renew_s / 2 and self._board.take(slot.number, view.held[slot.number]):
            slot.written = now
        return goes and is_wanted

    def _is_wanted(self, slot: HeldSlot, view: BoardView, now: float) -> bool:
        if not view.waiting:
            return False
        is_at_home = view.home(slot.number) == self._board.own
        return not is_at_home or (self._board.own in view.waiting and now - slot.taken >= self._times.turn_s)

    def _give_back(self, slot: HeldSlot, view: BoardView) -> None:
        with self._lock:
            is_own = self._slots.pop(slot.number, None) is slot
        if is_own:
            self._board.give_back(slot.number, view.held[slot.number])

    def _taken(self, view: BoardView, wanted: int) -> int:
        """Take up to `wanted` of the slots that this run may have now; returns how many it was."""
        versions: dict[int, str | None] = {**view.free, **view.silent}
        may = [slot for slot in versions if slot not in self._slots and view.home(slot) == self._board.own]
        taken = 0
        for number in _random.sample(may, len(may)):
            if taken == wanted:
                break
            now = time.monotonic()
            if self._board.take(number, versions[number]):
                with self._lock:
                    self._slots[number] = HeldSlot(number, now, now, now)
                    self._lock.notify_all()
                taken += 1
        return taken

    def _say_whether_it_waits(self, waits: bool, now: float) -> None:
        if waits and (self._said_it_waits is None or now - self._said_it_waits >= self._times.renew_s):
            self._board.wait()
            self._said_it_waits = now
        elif not waits and self._said_it_waits is not None:
            self._board.wait_no_more()
            self._said_it_waits = None
