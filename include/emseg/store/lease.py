"""A lease: at most one process at a time does what only one may do (posting mappings and indices to DVID).

The lease is one JSON object, changed by conditional writes only, also to give it back: conditional deletes are not
exact on every S3 server. Nobody compares clocks: whoever finds the lease held watches it, and may take it over when it
did not change for the holder's `ttl_s` on the watcher's own monotonic clock. Each taking has the next fence: a holder
that slept through its time finds on `renew` that the lease is no longer its own, before it writes anything more.
"""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, ClassVar, NoReturn, Self
from uuid import uuid4

from pydantic import ConfigDict, Field

from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError
from emseg.meanwhile import meanwhile
from emseg.store.objects import ObjectMissingError, ObjectStore
from emseg.store.sealed import Form

_LOG = logging.getLogger(__name__)


class LeaseHeldError(TransientError):
    """Somebody else holds the lease, and its time is not over."""


class LeaseLostError(TransientError):
    """The lease was taken over while this process thought it held it; nothing more may be written under it."""


@dataclass(frozen=True)
class _Record:
    """What the lease object says. `turn` changes at every write, so that watchers see a living holder."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    holder: str
    fence: Annotated[int, Field(ge=1)]
    ttl_s: Annotated[float, Field(gt=0)]
    turn: str
    is_held: bool


class Lease:
    """A lease at `key`; `holder` names this process to people. One object belongs to one thread.

    Renew it more often than `ttl_s`: a holder that does not is taken for dead. As a context manager it is taken on
    entry, within `patience_s`, and given back at the end; an error of the body goes before one of giving it back. With
    `for_twins` a process takes over at once from another one that gave the same `holder`.
    """

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        holder: str,
        ttl_s: float,
        patience_s: float = 0.0,
        for_twins: bool = False,
    ) -> None:
        if ttl_s <= 0:
            raise PermanentError("making a lease", key, f"ttl_s is {ttl_s}", "Give a positive time in seconds")
        self._store, self._key, self._holder, self._ttl_s = store, key, holder, float(ttl_s)
        self._patience_s, self._for_twins = patience_s, for_twins
        self._fence: int | None = None
        self._seen: tuple[str, float] | None = None

    def is_free(self) -> bool:
        """Whether `take` would succeed now; to be asked again and again, as `take` is."""
        found = self._stored()
        return found is None or self._is_open(found[0])

    def take(self) -> int:
        """One try to take the lease; returns the fence. `LeaseHeldError` while another holds it: call again later."""
        found = self._stored()
        if found is None:
            taken = self._store.put_if_absent(self._key, self._record(fence=1))
            return self._taken(1) if taken else self._refuse("another process was faster")
        current, version = found
        if not self._is_open(current):
            return self._refuse(f"{current.holder} holds it, and was alive less than {current.ttl_s:g} s ago")
        if not self._store.replace_if(self._key, self._record(current.fence + 1), version):
            return self._refuse("another process was faster")
        if current.is_held and current.holder != self._holder:
            _LOG.warning("lease %s: taken over from %s, which fell silent", self._key, current.holder)
        return self._taken(current.fence + 1)

    def take_within(self, patience_s: float, pause_s: float = 1.0) -> int:
        """Try every `pause_s` for `patience_s`, then `LeaseHeldError`; more than ttl_s outlives a dead holder."""
        deadline, is_told = time.monotonic() + patience_s, False
        while True:
            try:
                return self.take()
            except LeaseHeldError as error:
                if time.monotonic() + pause_s > deadline:
                    raise
                if not is_told:
                    _LOG.info("lease %s: %s; waiting up to %g s for it", self._key, error.found, patience_s)
                    is_told = True
            time.sleep(pause_s)

    def renew(self) -> int:
        """Show that the holder lives, and make sure that it still holds; returns the fence, or `LeaseLostError`."""
        return self._rewrite(is_held=True)

    def kept(self, every_s: float | None = None) -> AbstractContextManager[None]:
        """Renew the lease all through the block, whose own thread leaves it alone; six times in `ttl_s` if not told.

        Where it is lost nothing is interrupted: the next `renew` or `release` after the block raises LeaseLostError. So
        only what may be done twice belongs into the block.
        """
        return meanwhile(self._is_renewed, self._ttl_s / 6 if every_s is None else every_s)

    def release(self) -> None:
        """Give the lease back, so that the next taker need not wait; `LeaseLostError` where it was taken over."""
        self._rewrite(is_held=False)
        self._fence = None

    def __enter__(self) -> Self:
        self.take_within(self._patience_s)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.release()
            return
        try:
            self.release()
        except EmsegError as second:
            _LOG.warning("lease %s: not given back: %s", self._key, second)  # the body's own error goes on

    def _is_renewed(self) -> bool:
        """Renew it; False where it is lost for good."""
        try:
            self.renew()
        except LeaseLostError as error:
            _LOG.warning("%s", error)
            return False
        except EmsegError as error:  # one that does not last: there are more tries before the time is over
            _LOG.warning("lease %s: not renewed: %s", self._key, error)
        return True

    def _stored(self) -> tuple[_Record, str] | None:
        """What the lease says and its version. A damaged one is held by nobody knows whom, until its time is over."""
        try:
            data, version = self._store.get_with_version(self._key)
        except ObjectMissingError:
            return None
        try:
            return _FORM.open(data, self._key, self._store.address(self._key)), version
        except IntegrityError as error:
            _LOG.error("%s", error)
            return _Record("a holder whose record is damaged", 1, self._ttl_s, version, True), version

    def _is_open(self, current: _Record) -> bool:
        mine = self._for_twins and current.holder == self._holder
        return mine or not current.is_held or self._is_over(current)

    def _is_over(self, current: _Record) -> bool:
        """Whether the holder wrote nothing for its whole time, as this process saw it."""
        now = time.monotonic()
        if self._seen is None or self._seen[0] != current.turn:
            self._seen = (current.turn, now)
        return now - self._seen[1] >= current.ttl_s

    def _rewrite(self, is_held: bool) -> int:
        found = self._stored()
        is_own = found is not None and (found[0].holder, found[0].fence) == (self._holder, self._fence)
        if self._fence is None or found is None or not found[0].is_held or not is_own:
            raise self._lost(f"fence {found[0].fence} of {found[0].holder}" if found else "no lease")
        if not self._store.replace_if(self._key, self._record(self._fence, is_held), found[1]):
            raise self._lost("another process was faster")
        return self._fence

    def _record(self, fence: int, is_held: bool = True) -> bytes:
        """A record with a turn of its own, so that no two processes ever write the same bytes."""
        return _FORM.seal(_Record(self._holder, fence, self._ttl_s, uuid4().hex, is_held), self._key)

    def _taken(self, fence: int) -> int:
        self._fence = fence
        return fence

    def _refuse(self, found: str) -> NoReturn:
        raise LeaseHeldError(
            "taking a lease",
            self._store.address(self._key),
            found,
            "Try again when its holder has ended; a dead one loses it",
        )

    def _lost(self, found: str) -> LeaseLostError:
        mine = "none" if self._fence is None else str(self._fence)
        self._fence = None
        return LeaseLostError(
            "renewing a lease",
            f"{self._store.address(self._key)}, holder {self._holder}, fence {mine}",
            f"it is no longer this process's: {found}",
            "Stop writing; run again to continue from what is marked, and renew more often than ttl_s",
        )


_FORM = Form(
    "lease",
    _Record,
    2,
    "Wait: it is taken over when nobody has changed it for the time of a lease",
    "Stop the run of another emseg that writes under it, then delete the object",
)
