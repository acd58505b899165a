"""Why work failed where it ran, as a row that can travel; and the error that the driver makes of such rows.

An exception that escaped a Spark task would bury its cause in the JVM, so errors travel as rows.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from emseg.errors import RUN_AGAIN, EmsegError, IntegrityError, NoRoomError, PermanentError, TransientError


@dataclass(frozen=True)
class ItemFailure:
    """Why an item was not committed: `kind` is the name of the class of errors, which decides about a retry."""

    item: str
    kind: str
    message: str

    @property
    def is_permanent(self) -> bool:
        """Whether the same item would fail again."""
        return self.kind in {PermanentError.__name__, NoRoomError.__name__}

    @property
    def is_of_the_item(self) -> bool:
        """Whether the item would fail on any machine, so that a run may go on without it."""
        return self.kind == PermanentError.__name__


def failure_of(item: str, error: Exception) -> ItemFailure:
    """The row of any error; call it where the error is handled, so that its traceback is there."""
    if isinstance(error, EmsegError):
        return ItemFailure(item, _kind_of(error), str(error))
    if isinstance(error, MemoryError | OSError):
        if full := NoRoomError.of(error, "computing an item", item):
            return ItemFailure(item, NoRoomError.__name__, str(full))
        return ItemFailure(item, TransientError.__name__, traceback.format_exc(limit=-3))
    return ItemFailure(item, PermanentError.__name__, traceback.format_exc(limit=-5))


def error_of(doing: str, failures: Sequence[ItemFailure], total: int, note: str = "") -> EmsegError:
    """The error of one or more failures among `total` items; permanent ones are shown first.

    A retry is worth while only if every failed item may succeed in it.
    """
    retryable = {TransientError.__name__: TransientError, IntegrityError.__name__: IntegrityError}
    permanent = [f for f in failures if f.is_permanent]
    full = [f for f in permanent if not f.is_of_the_item]
    shown = (full or permanent or list(failures))[:3]
    kind: type[EmsegError] = PermanentError if permanent else retryable[shown[0].kind]
    kind = NoRoomError if full else kind
    remedy = f"Correct the cause, then {RUN_AGAIN}" if permanent else "A retry does only what is missing"
    return kind(
        doing,
        f"{len(failures)} of {total} items failed: {', '.join(f.item for f in shown)}",
        note + " | ".join(f.message.strip() for f in shown),
        remedy,
    )


def _kind_of(error: EmsegError) -> str:
    kinds = (TransientError, IntegrityError, NoRoomError)
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), PermanentError.__name__)
