"""The three Spark jobs as functions of a workplace and an executor: segment, stitch, evaluate.

They are the same functions in a Spark driver, in the command line and in the tests; only the executor differs.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from emseg.errors import PermanentError
from emseg.stages.engine import Executor, InProcess, Phase, run_phase
from emseg.stages.evaluate import Evaluation, evaluate_phase, read_evaluation
from emseg.stages.match import match_phase
from emseg.stages.resolve_bodies import resolve_phase
from emseg.stages.run_folder import PhaseSummary, StageReport
from emseg.stages.segment import segment_phase
from emseg.stages.services import DvidServices, Services, Workplace, chosen_cells
from emseg.stages.write import prepare_branch, write_phase

log = logging.getLogger(__name__)


def run_segment(place: Workplace[Any], executor: Executor) -> StageReport:
    """Segment every subvolume."""
    return StageReport(stage="segment", phases=(_run(place, segment_phase(place, _cells(place)), executor),))


def run_stitch(place: Workplace[DvidServices], executor: Executor) -> StageReport:
    """Match, resolve, write: bodies over the whole volume, in a labelmap on the run's own branch."""
    _complete(place, segment_phase(place, _cells(place)), executor)
    phases = match_and_resolve(place, executor)
    done = place.folder("write").stage_marker() is not None
    staying = np.empty(0, np.uint64) if done else prepare_branch(place)
    phases.append(_run(place, write_phase(place, _cells(place), staying), executor))
    return StageReport(stage="stitch", phases=tuple(phases))


def match_and_resolve(place: Workplace[Any], executor: Executor) -> list[PhaseSummary]:
    """The part of stitching that needs no DVID; resolution is global and runs in this process."""
    return [
        _run(place, match_phase(place, _cells(place)), executor),
        _run(place, resolve_phase(place), InProcess()),
    ]


def completed_evaluation(place: Workplace[DvidServices]) -> Evaluation:
    """The evaluation for the gate; tables that were set aside as damaged are counted again, in this process."""
    _complete(place, evaluate_phase(place, _cells(place)), InProcess())
    return read_evaluation(place.folder("evaluate"))


def run_evaluate(place: Workplace[DvidServices], executor: Executor) -> StageReport:
    """Measure the written segmentation against ground truth."""
    _require_written(place)
    return StageReport(stage="evaluate", phases=(_run(place, evaluate_phase(place, _cells(place)), executor),))


def _cells(place: Workplace[Services]) -> list[int]:
    return chosen_cells(place.spec.grid, place.open_services().roi(place.spec))


def _run(place: Workplace[Any], phase: Phase, executor: Executor) -> PhaseSummary:
    return run_phase(phase, place.folder(phase.stage), executor)


def _complete(place: Workplace[Any], phase: Phase, executor: Executor) -> None:
    """Bring an input to completion: nothing to do, unless damaged items of it were set aside by a reader."""
    done = _run(place, phase, executor).items_done
    if done:
        log.warning("%s: %d items of the input were missing and have been computed again", phase.stage, done)


def _require_written(place: Workplace[DvidServices]) -> None:
    if place.folder("write").stage_marker() is None:
        raise PermanentError(
            "evaluating",
            f"run {place.spec.run}",
            "its segmentation is not written completely",
            "Clear the task `stitch`",
        )
