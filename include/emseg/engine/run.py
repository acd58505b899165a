"""How any phase runs: find what its markers say is missing, do only that, commit it, and mark the phase done.

A phase run is a list of items and a function of one item. The function writes artefacts under its attempt and commits
an item marker; it may run anywhere (this process, a Spark task), any number of times. The phase is done when its phase
marker exists.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from emseg.engine.failures import ItemFailure, error_of
from emseg.engine.items import Executor, Work
from emseg.engine.progress import Progress
from emseg.engine.report import PhaseSummary
from emseg.errors import IntegrityError
from emseg.store import ItemMarker, Markers, PhaseFolder, PhaseMarker

log = logging.getLogger(__name__)

KEPT_AT_ONCE = 10_000
"""Item markers that a driver keeps as one object while a phase runs; a retry reads them with one request."""

Scalars = Mapping[str, int | float | str]


@dataclass(frozen=True)
class PhaseRun:
    """One phase of one run, ready for the engine.

    `prepare` is called once in the driver, before the first item, and gives the work on one item. `finish` runs once in
    the driver, after all items and before the phase marker. Up to `most_given_up` items that fail for good are given
    up: they get no marker, and the phase is done without them for this run alone. None: any failure fails the phase,
    and no few items are tried before the others.

    `waves` are the items in the order in which they may be begun: a wave begins when the one before is done. None: the
    items need nothing of each other.
    """

    phase: str
    items: tuple[str, ...]
    prepare: Callable[[], Work]
    finish: Callable[[Sequence[ItemMarker]], Scalars]
    most_given_up: int | None = None
    waves: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True)
class PhaseResult:
    """What was done, and the items that were given up, each with its reason."""

    summary: PhaseSummary
    given_up: Mapping[str, str] = field(default_factory=dict)


def run_phase(phase: PhaseRun, folder: PhaseFolder, executor: Executor, without: Collection[str] = ()) -> PhaseResult:
    """Bring a phase to its phase marker. A phase that is done already costs one request.

    Items in `without` were given up by an earlier stage of this run: they are neither computed nor waited for.
    """
    started = time.monotonic()
    folder = folder.without(without)
    marker = phase_marker(folder)
    left_out = set(without)
    items = tuple(item for item in phase.items if item not in left_out) if left_out else phase.items
    if marker is not None:
        log.info("%s %s: done already, %d items reused", phase.phase, folder.phase_key[:12], len(items))
        return PhaseResult(_summary(folder, started, 0, len(items), marker))
    reused = folder.committed(items)
    found = {marker.item for marker in reused}
    missing = [item for item in items if item not in found]
    log.info("%s %s: %d items to do, %d found", phase.phase, folder.phase_key[:12], len(missing), len(found))
    computed, given_up = _computed(phase, missing, folder, executor, _probe(phase, len(missing), len(found)))
    markers = Markers.joined(reused, computed)
    folder = folder.without([*without, *given_up])
    results = phase.finish(markers)
    summary = _summary(folder, started, len(computed), len(found), folder.commit_phase(markers, results))
    return PhaseResult(summary.model_copy(update={"items_given_up": len(given_up)}), given_up)


def phase_marker(folder: PhaseFolder) -> PhaseMarker | None:
    """The marker of a phase that is done; a damaged one was set aside, so that the phase is marked anew."""
    try:
        return folder.phase_marker()
    except IntegrityError as error:
        log.error("%s: %s", folder.phase, error)
        return None


def _computed(
    phase: PhaseRun, items: Sequence[str], folder: PhaseFolder, executor: Executor, probe: int
) -> tuple[Markers, dict[str, str]]:
    """Markers of the items, and those given up.

    The first `probe` items go before the rest; if there is a rest and all of the first fail alike, it is not tried.
    """
    failures: list[ItemFailure] = []
    markers = Markers.of(_kept(_succeeded(phase, items, executor, probe, failures), folder))
    of_the_item = [failure for failure in failures if failure.is_of_the_item]
    if len(of_the_item) < len(failures) or len(of_the_item) > (phase.most_given_up or 0):
        raise error_of(f"running {phase.phase}", failures, len(items))
    return _settled(phase, markers, failures, folder)


def _succeeded(
    phase: PhaseRun, items: Sequence[str], executor: Executor, probe: int, failures: list[ItemFailure]
) -> Iterator[ItemMarker]:
    """Markers as they come; `failures` gets the others."""
    work, waves = phase.prepare(), _waves(phase, items, probe)
    for number, wave in enumerate(waves, 1):
        for outcome in executor.outcomes(work, wave, Progress(phase.phase, len(wave))):
            if isinstance(outcome, ItemFailure):
                log.error("%s %s failed (%s): %s", phase.phase, outcome.item, outcome.kind, outcome.message)
                failures.append(outcome)
            else:
                yield outcome
        if failures and phase.waves is not None:
            return
        if number < len(waves) and len(failures) == len(wave) and _alike(failures):
            note = "the first ones all failed alike, so the rest was not tried: "
            raise error_of(f"running {phase.phase}", failures, probe, note)


def _kept(markers: Iterable[ItemMarker], folder: PhaseFolder) -> Iterator[ItemMarker]:
    """The markers; each `KEPT_AT_ONCE` of them are kept together, for a driver that goes on after this one."""
    left = iter(markers)
    while some := list(islice(left, KEPT_AT_ONCE)):
        if len(some) == KEPT_AT_ONCE:
            folder.keep_so_far(Markers.of(some))
        yield from some


def _waves(phase: PhaseRun, items: Sequence[str], probe: int) -> list[Sequence[str]]:
    """Items that may be computed together: those of the phase's waves, or a few that are tried first, and the rest."""
    if phase.waves is None:
        return [wave for wave in (items[:probe], items[probe:]) if wave]
    missing = set(items)
    waves = [[item for item in wave if item in missing] for wave in phase.waves]
    return [wave for wave in waves if wave]


def _settled(
    phase: PhaseRun, markers: Markers, failures: Sequence[ItemFailure], folder: PhaseFolder
) -> tuple[Markers, dict[str, str]]:
    """What another attempt has computed meanwhile is not given up."""
    done = folder.done_items() if failures else frozenset()
    given_up = {failure.item: failure.message for failure in failures if failure.item not in done}
    for item in given_up:
        log.error("%s %s is given up: it stays empty in this run", phase.phase, item)
    of_others = Markers.of(folder.item_markers(f.item for f in failures if f.item in done))
    return Markers.joined(markers, of_others), given_up


def _probe(phase: PhaseRun, missing: int, found: int) -> int:
    """How many items are tried before the rest. What is left of an earlier try is no sample of all: it has no probe."""
    return missing if phase.most_given_up is None or found else min(missing, max(8, min(missing // 100, 64)))


def _alike(failures: Sequence[ItemFailure]) -> bool:
    """Whether all messages are one, but for numbers and names with numbers in them."""
    return len({(failure.kind, re.sub(r"[0-9]+", "#", failure.message)) for failure in failures}) == 1


def _summary(folder: PhaseFolder, started: float, done: int, reused: int, marker: PhaseMarker) -> PhaseSummary:
    return PhaseSummary(
        phase=folder.phase,
        key=folder.phase_key,
        seconds=round(time.monotonic() - started, 3),
        items_done=done,
        items_reused=reused,
        content_digest=marker.content_digest,
    )
