"""What a run computes, phase by phase. Each phase is declared in one place, `phases/NAME`, and listed here once.

Keys, code versions, the plan, the order, reports, progress, the command line, the demo and the Spark tasks of the DAG
follow from the declarations. To add a phase, write `phases/NAME.py` (or a folder) with a `PHASE`, and add its name to
`ORDER` behind the phase that it follows.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from emseg.phases.declaration import Phase
from emseg.phases.stages import Stage

if TYPE_CHECKING:
    from emseg.phases.artefact import LabelArtefact, TableArtefact

ORDER = ("segment", "match", "resolve", "write", "survey", "evaluate")
"""Names of all phases in the order in which a run does them."""


@cache
def phases() -> tuple[Phase, ...]:
    """All phases, in order. They are imported by name, so that no phase can reach another one through this list."""
    found: tuple[Phase, ...] = tuple(import_module(f"{__name__}.{name}").PHASE for name in ORDER)
    _check(found)
    return found


def phase_named(name: str) -> Phase:
    """The phase called `name`."""
    return next(phase for phase in phases() if phase.name == name)


def stages() -> tuple[Stage, ...]:
    """All stages, in the order of their first phases."""
    return tuple(dict.fromkeys(phase.stage for phase in phases()))


def phases_of(stage: str) -> tuple[Phase, ...]:
    """The phases of a stage, in order."""
    return tuple(phase for phase in phases() if phase.stage.name == stage)


def catalogue() -> tuple[tuple[str, LabelArtefact | TableArtefact], ...]:
    """Every artefact of every phase, with the name of the phase that leaves it."""
    return tuple((phase.name, artefact) for phase in phases() for artefact in phase.artefacts())


def _check(found: tuple[Phase, ...]) -> None:
    """A list that contradicts the declarations would run phases before their input is there."""
    names = [phase.name for phase in found]
    if names != list(ORDER):
        raise TypeError(f"phases are named {names}, their files {list(ORDER)}")
    for at, phase in enumerate(found):
        if phase.follows is not None and phase.follows not in names[:at]:
            raise TypeError(f"phase {phase.name} follows {phase.follows}, which does not stand before it in ORDER")
    in_order = [phase.stage for phase in found]
    if in_order != sorted(in_order, key=in_order.index):
        raise TypeError(f"the phases of a stage do not stand together: {[stage.name for stage in in_order]}")
