"""How any phase runs: find what its markers say is missing, do only that, commit it, and mark the phase done.

A phase is a key, a list of items and a function of one item. The function writes artefacts under its attempt and
commits an item marker; it may run anywhere (this process, a Spark task), any number of times. The phase is done when
its stage marker exists. Nothing here knows what is computed.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError
from emseg.stages.progress import Progress
from emseg.stages.run_folder import PhaseSummary
from emseg.store import ItemMarker, StageFolder, StageMarker

log = logging.getLogger(__name__)

Work = Callable[[str], ItemMarker]
Scalars = Mapping[str, int | float | str]


@dataclass(frozen=True)
class ItemFailure:
    """Why an item was not committed: `kind` (Transient-, Integrity- or PermanentError) decides about a retry."""

    item: str
    kind: str
    message: str


Outcome = ItemMarker | ItemFailure


@dataclass(frozen=True)
class Phase:
    """One phase of a stage. `finish` runs once in the driver, after all items and before the stage marker.

    With `give_up`, items that fail for good are given up (committed empty, by the driver, with the reason), as long as
    they are no more than `most_given_up`; without it one failure fails the phase. An item that was given up counts as
    done: a retry, or the same run again, does not compute it.
    """

    stage: str
    key: str
    items: tuple[str, ...]
    work: Work
    finish: Callable[[Sequence[ItemMarker]], Scalars]
    give_up: Callable[[str, str], ItemMarker] | None = None
    most_given_up: int = 0


class Executor(Protocol):
    """Runs work on items, in any order and on any machines; an item's error comes back as an `ItemFailure`."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item."""
        ...


class InProcess:
    """Runs the items one after the other in this process: for tests, the command line, and driver-only phases."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item, in order."""
        for done, item in enumerate(items, 1):
            yield attempt_item(work, item)
            progress.reached(done)


def attempt_item(work: Work, item: str) -> Outcome:
    """Run one item where it is. Errors become rows: one that escaped a Spark task would bury its cause in the JVM."""
    try:
        return work(item)
    except EmsegError as error:
        return ItemFailure(item, _kind_of(error), str(error))
    except (MemoryError, OSError):
        return ItemFailure(item, TransientError.__name__, traceback.format_exc(limit=-3))
    except Exception:  # noqa: BLE001 - the border to steps written by others: any of their errors fails this item only
        return ItemFailure(item, PermanentError.__name__, traceback.format_exc(limit=-5))


def _kind_of(error: EmsegError) -> str:
    kinds = (TransientError, IntegrityError)
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), PermanentError.__name__)


def run_phase(phase: Phase, folder: StageFolder, executor: Executor) -> PhaseSummary:
    """Bring a phase to its stage marker and say what was done. A phase that is done already costs one request."""
    started = time.monotonic()
    marker = folder.stage_marker()
    if marker is not None:
        log.info("%s %s: done already, %d items reused", phase.stage, phase.key[:12], len(phase.items))
        return _report(phase, started, 0, marker)
    done = folder.done_items()
    missing = [item for item in phase.items if item not in done]
    found = [item for item in phase.items if item in done]
    log.info("%s %s: %d items to do, %d found", phase.stage, phase.key[:12], len(missing), len(found))
    markers = folder.item_markers(found) + _computed(phase, missing, executor, _probe(phase, len(missing), len(found)))
    results = phase.finish(markers)
    return _report(phase, started, len(missing), folder.commit_stage(markers, results))


def _computed(phase: Phase, items: Sequence[str], executor: Executor, probe: int) -> list[ItemMarker]:
    """The first `probe` items, then the rest; if there is a rest and all of the first fail alike, it is not tried."""
    markers: list[ItemMarker] = []
    failures: list[ItemFailure] = []
    first, rest = items[:probe], items[probe:]
    for wave in (first, rest):
        for outcome in executor.outcomes(phase.work, wave, Progress(phase.stage, len(wave))):
            if isinstance(outcome, ItemFailure):
                log.error("%s %s failed (%s): %s", phase.stage, outcome.item, outcome.kind, outcome.message)
                failures.append(outcome)
            else:
                markers.append(outcome)
        if wave is first and rest and len(failures) == len(first) and _alike(failures):
            raise _error_of(phase, failures, probe, "the first ones all failed alike, so the rest was not tried: ")
    permanent = [failure for failure in failures if failure.kind == PermanentError.__name__]
    if len(permanent) < len(failures) or len(permanent) > phase.most_given_up:
        raise _error_of(phase, failures, len(items))
    return markers + [_given_up(phase, failure) for failure in failures]


def _probe(phase: Phase, missing: int, found: int) -> int:
    """How many items are tried before the rest. What is left of an earlier try is no sample of all: it has no probe."""
    return missing if phase.give_up is None or found else min(missing, max(8, min(missing // 100, 64)))


def _alike(failures: Sequence[ItemFailure]) -> bool:
    """Whether all messages are one, but for numbers and names with numbers in them."""
    return len({(failure.kind, re.sub(r"[0-9]+", "#", failure.message)) for failure in failures}) == 1


def _given_up(phase: Phase, failure: ItemFailure) -> ItemMarker:
    if phase.give_up is None:
        raise TypeError("a phase that gives items up must say how")
    log.error("%s %s is given up: it stays empty", phase.stage, failure.item)
    return phase.give_up(failure.item, failure.message)


def _error_of(phase: Phase, failures: Sequence[ItemFailure], total: int, note: str = "") -> EmsegError:
    # A retry is worth while only if every failed item may succeed in it; the permanent ones are shown first.
    retryable = {TransientError.__name__: TransientError, IntegrityError.__name__: IntegrityError}
    permanent = [f for f in failures if f.kind not in retryable]
    shown = (permanent or list(failures))[:3]
    kind: type[EmsegError] = PermanentError if permanent else retryable[shown[0].kind]
    remedy = "Correct the cause, then clear the task" if permanent else "A retry does only what is missing"
    return kind(
        f"running {phase.stage}",
        f"{len(failures)} of {total} items failed: {', '.join(f.item for f in shown)}",
        note + " | ".join(f.message.strip() for f in shown),
        remedy,
    )


def _report(phase: Phase, started: float, done: int, marker: StageMarker) -> PhaseSummary:
    return PhaseSummary(
        phase=phase.stage,
        key=phase.key,
        seconds=round(time.monotonic() - started, 3),
        items_done=done,
        items_reused=len(phase.items) - done,
        content_digest=marker.content_digest,
    )
