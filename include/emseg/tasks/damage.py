"""All damage of an input in one pass: who stumbles over one damaged object looks at the rest before giving up.

Example: six overlaps of `segment` and a marker of `match` are damaged. `stitch` finds one of them, reads all artefacts
of both phases, sets the seven aside and names them. The next try computes these items and nothing else. Airflow tries
four times, so a search that ends at each find would not get through.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emseg.engine.failures import ItemFailure
from emseg.engine.items import Executor, InProcess, Outcome, Work, attempt_item
from emseg.engine.progress import Progress
from emseg.engine.run import phase_marker
from emseg.errors import IntegrityError
from emseg.phases import phase_named, phases
from emseg.phases.run_context import RunContext
from emseg.store import ItemMarker, ahead

log = logging.getLogger(__name__)

_SHOWN = 20


@dataclass(frozen=True)
class CheckItem:
    """Verifies the marker and the artefacts of an item of a phase; what is damaged is set aside."""

    run: RunContext[Any]
    phase: str

    def __call__(self, item: str) -> ItemMarker:
        """Check the item of this name; IntegrityError where it is damaged."""
        return self.run.folder(self.phase).check_item(item)


class Readers:
    """Runs items in several threads of this process: for work that waits for the store."""

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item, in order."""
        for done, outcome in enumerate(ahead(lambda item: attempt_item(work, item), items), 1):
            yield outcome
            progress.reached(done)


@contextmanager
def all_of_it(names: Sequence[str], run: RunContext[Any], executor: Executor) -> Iterator[None]:
    """An IntegrityError of the block goes on as one about all damage in the artefacts of the phases `names`."""
    try:
        yield
    except IntegrityError as error:
        damaged = set_aside(names, run, executor)
        if not damaged:
            raise
        raise IntegrityError(
            error.doing,
            error.on,
            f"{error.found}. Of all that this reads, also damaged: {', '.join(damaged[:_SHOWN])}"
            + (f" and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""),
            "All of it was set aside: a retry computes only these items",
        ) from error


def read_by(name: str) -> tuple[str, ...]:
    """The phases whose artefacts a phase reads, its own and those that these are made from included; in order."""
    wanted, new = {name}, {name}
    while new:
        new = {each for phase in new for each in phase_named(phase).reads_from} - wanted
        wanted |= new
    return tuple(phase.name for phase in phases() if phase.name in wanted)


def set_aside(names: Sequence[str], run: RunContext[Any], executor: Executor) -> list[str]:
    """Verify all committed items of some phases and set aside what is damaged.

    Returns `phase item` of each, with those of finished phases that are lost.
    """
    readers = Readers() if isinstance(executor, InProcess) else executor
    damaged: list[str] = []
    for name in names:
        folder = run.folder(name)
        items, was_marked = folder.done_items(), phase_marker(folder) is not None
        log.warning("%s: looking for more damage in %d items", name, len(items))
        outcomes = readers.outcomes(CheckItem(run, name), sorted(items), Progress(f"checking {name}", len(items)))
        failures = [each for each in outcomes if isinstance(each, ItemFailure)]
        damaged += [f"{name} {each.item}" for each in failures if each.kind == IntegrityError.__name__]
        lost = set(phase_named(name).items(run)) - items - run.given_up.get(name, {}).keys() if was_marked else set()
        if lost:
            folder.unmark()
        damaged += [f"{name} {item}" for item in sorted(lost)]
    return damaged
