"""One item of a phase, wherever it runs: its marker, or a row that says why it failed.

An exception that escaped a Spark task would bury its cause in the JVM, so errors travel as rows.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from emseg.engine.progress import Progress
from emseg.errors import EmsegError, IntegrityError, NoRoomError, PermanentError, TransientError
from emseg.store import ItemMarker

Work = Callable[[str], ItemMarker]
"""Computes the item of a name and commits it. It may run in any process and any number of times."""


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


Outcome = ItemMarker | ItemFailure


class Executor(Protocol):
    """Runs work on items, in any order and on any machines; an item's error comes back as an `ItemFailure`."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item."""
        ...


class InProcess:
    """Runs the items one after the other in this process: for tests, the command line, and phases of one item."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item, in order."""
        for done, item in enumerate(items, 1):
            yield attempt_item(work, item)
            progress.reached(done)


def attempt_item(work: Work, item: str) -> Outcome:
    """Run one item where it is; any error of it becomes an `ItemFailure`."""
    try:
        return work(item)
    except EmsegError as error:
        return ItemFailure(item, _kind_of(error), str(error))
    except (MemoryError, OSError) as error:
        if full := NoRoomError.of(error, "computing an item", item):
            return ItemFailure(item, NoRoomError.__name__, str(full))
        return ItemFailure(item, TransientError.__name__, traceback.format_exc(limit=-3))
    except Exception:  # noqa: BLE001 - the border to steps written by others: any of their errors fails this item only
        return ItemFailure(item, PermanentError.__name__, traceback.format_exc(limit=-5))


def _kind_of(error: EmsegError) -> str:
    kinds = (TransientError, IntegrityError, NoRoomError)
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), PermanentError.__name__)
