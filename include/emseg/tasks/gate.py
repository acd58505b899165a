"""Task `gate`: the evaluation and the dataset's policy in; a verdict, Data Docs, and the report with its pictures out.

All of it is kept in the run folder: `verdict.json`, `findings.json`, `datadocs/`; `report.html`, `quality.json` and
`pictures/` by `tasks/report.py`.
"""

from __future__ import annotations

from contextlib import ExitStack

from emseg.config.groundtruth import Unassigned
from emseg.disk import scratch_folder
from emseg.engine.items import InProcess
from emseg.evaluate import Survey, per_segment
from emseg.phases import phase_named
from emseg.phases.evaluate.work import Evaluation, read_evaluation
from emseg.phases.labelmaps import measured_on
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.survey.work import read_survey
from emseg.quality import (
    Comparison,
    Findings,
    History,
    LargeBody,
    Measured,
    Verdict,
    everywhere,
    judge,
    keep,
    metric_rows,
    optional,
    worst_findings,
)
from emseg.tasks.compared import everywhere_with_served, measured, measured_served, replaces, with_served
from emseg.tasks.damage import all_of_it
from emseg.tasks.jobs import complete
from emseg.tasks.judged import entry_of, everywhere_with_history, history_of, with_history
from emseg.tasks.report import JudgedRun, keep_report
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.views import LARGEST, large_bodies, view_of_bodies, with_views

_READ = ("segment", "match", "resolve", "survey", "evaluate")
"""Phases that verdict and report read."""


def gate_run(run: RunContext[DvidServices]) -> Verdict:
    """Judge a run and keep everything that explains the verdict.

    What was set aside as damaged of the phases that it reads is computed again first, in this process.
    """
    with ExitStack() as damage:
        for other in phase_named("evaluate").also_for(run):
            damage.enter_context(all_of_it(("evaluate",), other, InProcess()))
        damage.enter_context(all_of_it(_READ, run, InProcess()))
        for phase in _READ:
            complete(phase, run, InProcess())
        return _judged(run)


def _judged(run: RunContext[DvidServices]) -> Verdict:
    spec = run.spec
    folder = RunFolder(run.open_services().store, spec.dataset, spec.run)
    evaluation = None if spec.groundtruth is None else read_evaluation(run)
    own = None if evaluation is None else measured(run, evaluation, run.keys["evaluate"])
    served = None if own is None else measured_served(run)
    counted = read_survey(run)
    largest = large_bodies(run, counted)
    compared = _compared(run, own, served, counted.survey, largest)
    with scratch_folder() as docs:
        verdict = judge(
            () if evaluation is None else metric_rows(spec.dataset, evaluation.score, evaluation.subvolumes, spec.gate),
            spec.gate,
            docs,
            dataset=spec.dataset,
            run=spec.run,
            fingerprint=run.keys["write"],
            unassigned=Unassigned.SEGMENT if spec.groundtruth is None else spec.groundtruth.unassigned,
            compared=compared,
            replaces=replaces(spec),
            has_groundtruth=evaluation is not None,
        )
        for page in sorted(docs.iterdir()):
            folder.write_file(f"datadocs/{page.name}", page.read_bytes(), "text/html")
    findings = _findings(run, evaluation).model_copy(update={"largest": largest})
    folder.write("findings", findings)
    entry = entry_of(run, own, verdict)
    keep_report(JudgedRun(run, verdict, evaluation, own, served, compared, findings, entry), folder)
    keep(folder.store, entry)
    folder.write("verdict", verdict)
    return verdict


def _compared(
    run: RunContext[DvidServices],
    own: Measured | None,
    served: Measured | None,
    survey: Survey,
    largest: tuple[LargeBody, ...],
) -> list[Comparison]:
    """All that the run is held to beside the limits of its scores."""
    history = history_of(run)
    without = Comparison(notes=("Judged without ground truth, by what was counted over all of the volume alone",))
    scored = [without] if own is None else _scored(run, own, served, history)
    lost = (f"Left out of the history, because it is damaged: {address}" for address in history.damaged)
    return [
        *scored,
        everywhere(survey, largest, run.spec.gate.everywhere, run.spec.dataset),
        everywhere_with_served(run, survey, largest),
        everywhere_with_history(run, survey, largest, history).with_notes(*lost),
    ]


def _scored(
    run: RunContext[DvidServices], own: Measured, served: Measured | None, history: History
) -> list[Comparison]:
    """The same of what needs ground truth."""
    told = optional(own.figures, run.spec.gate, run.spec.dataset)
    if own.names.components is not None:
        told = told.with_notes("Measured against components of the ground truth's bodies inside the region")
    return [told, *with_served(run, own, served), *with_history(run, own, history)]


def _findings(run: RunContext[DvidServices], evaluation: Evaluation | None) -> Findings:
    if evaluation is None:
        return Findings(view=view_of_bodies(run, tuple(read_survey(run).largest[:LARGEST].tolist())))
    findings = worst_findings(evaluation.whole, unassigned=measured_on(run).unassigned, names=evaluation.names)
    return with_views(run, findings, per_segment(evaluation.whole))
