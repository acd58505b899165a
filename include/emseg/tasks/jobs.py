"""A stage of a run, as a function of a run context and an executor.

It is the same function in a Spark driver, in the command line and in the tests; only the executor differs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emseg.engine.items import StageExecutor
from emseg.engine.report import PhaseSummary, StageReport
from emseg.engine.run import PhaseResult, PhaseRun, phase_marker, run_phase
from emseg.phases import phase_named, phases_of
from emseg.phases.declaration import Phase
from emseg.phases.run_context import RunContext
from emseg.tasks.damage import all_of_it, read_by

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageResult:
    """What a stage did, and the run as it goes on: some items may have been given up."""

    report: StageReport
    run: RunContext[Any]


def run_stage(stage: str, run: RunContext[Any], executor: StageExecutor) -> StageResult:
    """Run all phases of a stage. Items of the stage before that were set aside as damaged are computed again first."""
    first, *_ = declared = phases_of(stage)
    if first.follows is not None:
        complete(first.follows, run, executor)
    return run_phases(stage, declared, run, executor)


def run_phases(stage: str, declared: tuple[Phase, ...], run: RunContext[Any], executor: StageExecutor) -> StageResult:
    """Run some phases of a stage, one after the other."""
    summaries: list[PhaseSummary] = []
    given_up: dict[str, Mapping[str, str]] = {}
    for phase in declared:
        # What an earlier try gave up is tried again: it may do better.
        run = run.after(phase.name, {})
        result = _run(phase, run, executor, may_give_up=True)
        summaries.append(result.summary)
        if result.given_up:
            given_up[phase.name] = result.given_up
            run = run.after(phase.name, dict(result.given_up))
        others = (_run(phase, other, executor).summary for other in phase.also_for(run))
        summaries += [summary.model_copy(update={"served": True}) for summary in others]
    report = StageReport(stage=stage, phases=tuple(summaries), given_up={n: dict(r) for n, r in given_up.items()})
    return StageResult(report, run)


def complete(name: str, run: RunContext[Any], executor: StageExecutor) -> None:
    """Bring the input of a task to completion: nothing to do, unless something of it was lost or set aside as damaged.

    What that is made from is completed before it. Nothing is given up on behalf of the stage that the phase belongs to.
    A phase that writes to DVID is only marked anew, where DVID holds what it left.
    """
    for other in phase_named(name).also_for(run):
        if phase_marker(other.folder(name)) is None:
            _run(phase_named(name), other, executor)
    phase, folder = phase_named(name).marking_anew(), run.folder(name)
    if phase_marker(folder) is not None:
        return
    for needed in dict.fromkeys((*phase.reads_from, *filter(None, [phase.follows]))):
        complete(needed, run, executor)
    done = _run(phase, run, executor).summary.items_done
    log.warning("%s: the phase was not marked; %d items of it have been computed again", name, done)


def _run(phase: Phase, run: RunContext[Any], executor: StageExecutor, may_give_up: bool = False) -> PhaseResult:
    """One phase. Items that this run does without are not tried."""
    items, without = phase.items(run), run.given_up.get(phase.name, {})
    bound = PhaseRun(
        phase=phase.name,
        items=items,
        prepare=lambda: phase.prepare(run),
        finish=lambda markers: phase.finish(run, markers, executor),
        most_given_up=phase.most_given_up(run.spec, len(items)) if may_give_up else None,
        waves=phase.waves(run),
    )
    with all_of_it(read_by(phase.name), run, executor):
        return run_phase(bound, run.folder(phase.name), executor, without)
