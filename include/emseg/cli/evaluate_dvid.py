"""Two labelmaps in DVID compared in this process, with the keys and markers of the DAG `evaluate_segmentation`."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from emseg.cli.connecting import connected
from emseg.cli.console import console
from emseg.config.base import EVALUATIONS
from emseg.config.evaluation import EvaluationParameters
from emseg.engine.items import InProcess
from emseg.quality.scores import Scores
from emseg.tasks.evaluation import pin_evaluation, run_evaluation, scored
from emseg.tasks.evaluation.job import EVALUATE, context_of
from emseg.tasks.run_folder import RunFolder, run_name


def scores_in_dvid(parameters: EvaluationParameters) -> Scores:
    """The scores; a run of its own in the store keeps them, and whoever asks for the same finds its tables."""
    services = connected()
    spec = pin_evaluation(parameters, services.server)
    name = run_name(f"cli-{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}-{uuid4().hex[:8]}")
    folder = RunFolder(services.store, EVALUATIONS, name)
    folder.write("evaluation", spec)
    console.print(f"run {name}")
    run = context_of(spec, uuid4().hex[:12], lambda: services)
    report = run_evaluation(run, InProcess())
    folder.write(f"report-{EVALUATE}", report)
    console.print(f"{EVALUATE}: {report.items_done} items done, {report.items_reused} reused")
    scores = scored(run, spec)
    folder.write("scores", scores)
    return scores
