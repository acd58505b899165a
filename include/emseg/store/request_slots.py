"""Request slots: however many processes there are, no more requests are under way than there are slots.

    with slots.one():          waits for a slot; each lets one request through at a time
        answer = send()

A process keeps a slot for many requests. A thread of its own (the keeper) takes, renews and gives back; it lives while
there is something to keep. Requests only wait for it.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from emseg.errors import EmsegError, TransientError
from emseg.store.held_slots import HeldSlot, HeldSlots
from emseg.store.slot_board import SlotBoard

_log = logging.getLogger(__name__)


class RequestSlots:
    """The slots of one process on one board; none is taken before the first request. Safe to share between threads."""

    def __init__(self, board: SlotBoard) -> None:
        self._board, self._times = board, board.times
        self._changed = threading.Condition()
        self._held = HeldSlots(board, self._changed)
        self._at_the_store = threading.Lock()
        self._wanted = 0
        self._keeper: threading.Thread | None = None
        self._error: BaseException | None = None
        atexit.register(self.close)

    @contextmanager
    def one(self) -> Iterator[None]:
        """A slot for one request. TransientError where none came for `patience_s`; any error of the keeper but that."""
        slot = self._awaited()
        try:
            yield
        finally:
            with self._changed:
                slot.is_busy, slot.used = False, time.monotonic()
                if self._wanted or slot.is_leaving:  # waking the keeper costs as much as a small request
                    self._changed.notify_all()

    def close(self) -> None:
        """Give back all that no request uses; what is not given back, others take over after a while."""
        if self._at_the_store.acquire(timeout=self._times.hold_s):
            try:
                self._held.give_all_back()
            except EmsegError as error:
                _log.warning("request slots: not given back: %s", error)
            finally:
                self._at_the_store.release()

    def _awaited(self) -> HeldSlot:
        deadline = time.monotonic() + self._times.patience_s
        with self._changed:
            self._wanted += 1
            try:
                self._wake_keeper()
                while (slot := self._held.idle()) is None:
                    if (left_s := deadline - time.monotonic()) <= 0:
                        break
                    self._changed.wait(left_s)
                    if self._error is not None:
                        raise self._error
            finally:
                self._wanted -= 1
            if slot is not None:
                slot.is_busy = True
                return slot
        raise self._none_came()

    def _wake_keeper(self) -> None:
        if not self._missing():
            return
        if self._keeper is None:
            self._error = None
            self._keeper = threading.Thread(target=self._keep, name="request slots", daemon=True)
            self._keeper.start()
        self._changed.notify_all()

    def _keep(self) -> None:
        """The keeper's life."""
        error: BaseException | None = None
        while error is None and self._has_waited():
            try:
                with self._at_the_store:
                    self._held.turn(self._missing())
            except TransientError as trouble:
                _log.warning("request slots: %s", trouble)
                self._held.later()
            except BaseException as trouble:  # noqa: BLE001 - the requests that wait raise it
                error = trouble
                with self._changed:
                    self._error, self._keeper = error, None
                    self._changed.notify_all()

    def _has_waited(self) -> bool:
        """Wait until the board has to be looked at; False: there is nothing to keep, and the keeper ends."""
        with self._changed:
            while (due := self._held.due(self._missing())) is not None:
                if (pause_s := due - time.monotonic()) <= 0:
                    return True
                self._changed.wait(min(pause_s, self._times.linger_s))  # nobody says that a slot became idle
            self._keeper = None
            return False

    def _missing(self) -> int:
        """For how many requests there is no idle slot."""
        return max(0, self._wanted - self._held.count_idle())

    def _none_came(self) -> TransientError:
        held = ", ".join(f"{name}: {slots}" for name, slots in self._board.holders().most_common(5)) or "nobody"
        return TransientError(
            "waiting for a request slot of the DVID server",
            self._board.address,
            f"none of {self._board.limit} came free in {self._times.patience_s:g} s; they are held by {held}",
            "Try again when those runs are done, raise max_requests of the connection, or use fewer executors",
        )
