"""`emseg plan` and `emseg run`: a dataset without Airflow and Spark, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from rich.markdown import Markdown

from emseg.cli.connecting import connected
from emseg.cli.console import console
from emseg.cli.results import show_published
from emseg.cli.run_options import takes_run_parameters
from emseg.config import RunParameters, RunSpec, datasets_folder, load_dataset
from emseg.engine.items import InProcess
from emseg.engine.report import StageReport
from emseg.errors import PermanentError
from emseg.phases import stages
from emseg.phases.edits import edit_source
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import Verdict
from emseg.tasks.gate import gate_run
from emseg.tasks.jobs import run_stage
from emseg.tasks.one_run import one_run_at_a_time
from emseg.tasks.pin import pin_run
from emseg.tasks.plan import plan_run
from emseg.tasks.publish import publish_run
from emseg.tasks.run_folder import RunFolder, run_name
from emseg.tasks.served import served_source


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command()(takes_run_parameters(plan, dry_run=True))
    cli.command()(takes_run_parameters(run))


def plan(parameters: RunParameters) -> None:
    """Check a run and show what it would do and what is done already; writes nothing."""
    _require_known(parameters)
    services = connected()
    spec = _pinned(services, parameters, "plan")
    console.print(Markdown(plan_run(RunContext(spec, "", lambda: services)).markdown()))


def run(
    parameters: RunParameters,
    publish: Annotated[
        bool, typer.Option(help="Publish the result when the gate passes, if the dataset lets it")
    ] = False,
    again: Annotated[
        str | None, typer.Option(help="Do an earlier run again, as it was pinned: only what is missing is computed")
    ] = None,
) -> None:
    """Run a dataset in this process, with the same phases, keys and markers as the Spark jobs."""
    if again is not None and parameters != RunParameters(dataset=parameters.dataset):
        found, remedy = "other options are given, too", "A run keeps its own choices: leave them out"
        raise PermanentError("doing a run again", again, found, remedy)
    if parameters.dry_run:
        plan(parameters)
        return
    if again is None:
        _require_known(parameters)
    services = connected()
    if again is None:
        name = run_name(f"cli-{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}-{uuid4().hex[:8]}")
        spec = _pinned(services, parameters, name)
        folder = RunFolder(services.store, spec.dataset, name)
        folder.write("spec", spec)
    else:
        folder = RunFolder(services.store, parameters.dataset, again)
        spec = folder.spec()
    console.print(f"run {folder.run}")
    context = _run_stages(RunContext(spec, uuid4().hex[:12], lambda: services), folder)
    verdict = gate_run(context)
    _show_verdict(verdict)
    if not verdict.passed:
        raise typer.Exit(1)
    if publish:
        show_published(services.store, publish_run(context))


def _run_stages(context: RunContext[DvidServices], folder: RunFolder) -> RunContext[DvidServices]:
    for stage in stages():
        with one_run_at_a_time(folder.store, folder.dataset, folder.run):
            result = run_stage(stage.name, context, InProcess())
        context = result.run
        folder.write_report(result.report, context)
        show_report(result.report)
    return context


def show_report(report: StageReport) -> None:
    """Print what a stage did, and every item that the run goes on without, with the reason."""
    console.print(f"{report.stage}: {report.items_done} items done, {report.items_reused} reused")
    for phase, items in report.given_up.items():
        console.print(f"GIVEN UP: the result lacks {len(items)} of the items of phase {phase}", style="bold red")
        for item, reason in items.items():
            console.print(f"  {item}: {reason}", style="red", markup=False)


def _show_verdict(verdict: Verdict) -> None:
    """Print the verdict, and the reasons against the result."""
    console.print(f"verdict: {'passed' if verdict.passed else 'failed'}", *verdict.reasons, sep="\n  ", markup=False)


def _require_known(parameters: RunParameters) -> None:
    """Refuse an unknown dataset, a bad file or choices that it cannot take, before any server is asked."""
    parameters.applied_to(load_dataset(datasets_folder(), parameters.dataset))


def _pinned(services: DvidServices, parameters: RunParameters, run: str) -> RunSpec:
    edits, served = edit_source(services.store), served_source(services.store)
    return pin_run(parameters, run, datasets_folder(), services.server, services.model, edits, served)
