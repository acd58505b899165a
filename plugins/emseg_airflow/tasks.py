"""The tasks that run in Airflow itself: each calls one function of `emseg.tasks` and returns ids or a verdict.

A function's docstring is shown in the UI as the documentation of its task. What is large stays in the run folder of
the object store; returned values are under 4 kB.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.sdk import Asset, AssetAlias, get_current_context, task

from emseg.config import RunParameters, datasets_folder
from emseg.config.base import validated
from emseg_airflow.connections import services
from emseg_airflow.notifier import PublicationNotifier
from emseg_airflow.pages import report_address
from emseg_airflow.reference import PIN, RunReference
from emseg_airflow.refusal import GateRefusalError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from emseg.phases.run_context import RunContext
    from emseg.phases.services import DvidServices
    from emseg.tasks.run_folder import RunFolder

log = logging.getLogger(__name__)

RELEASES = AssetAlias("emseg_releases")
"""Every release, of whatever dataset; schedule a DAG on this alias, or on the Asset of one dataset."""


def release_asset(dataset: str) -> Asset:
    """The published segmentation of a dataset: each release is an event with its uuid, instance and number."""
    return Asset(name=f"emseg_{dataset}", uri=f"x-emseg://{dataset}", group="emseg")


@task(task_id=PIN)
def pin() -> dict[str, str]:
    """Check the parameters and the dataset file, pin every reference, and keep the result as the run's `spec`."""
    from emseg.phases.edits import edit_source
    from emseg.tasks.pin import pin_run
    from emseg.tasks.run_folder import RunFolder, run_name
    from emseg.tasks.served import served_source

    context = get_current_context()
    run = run_name(context["run_id"])
    parameters = validated(RunParameters, dict(context["params"]), "checking the run parameters", run)
    opened = services()
    edits, served = edit_source(opened.store), served_source(opened.store)
    spec = pin_run(parameters, run, datasets_folder(), opened.server, opened.model, edits, served)
    RunFolder(opened.store, spec.dataset, run).begin(spec)
    return RunReference(dataset=spec.dataset, run=run).model_dump()


@task
def plan() -> dict[str, Any]:
    """List the subvolumes, what they cost and what is done already; the log shows it as a table."""
    from emseg.phases import stages
    from emseg.tasks.plan import plan_run

    folder, run = run_of(get_current_context(), before=stages()[0].name)
    planned = plan_run(run)
    folder.write("plan", planned)
    log.info("Plan of this run:\n%s", planned.markdown())
    return planned.model_dump(mode="json")


@task.short_circuit
def unless_dry_run() -> bool:
    """Go on, or end the run here where `dry_run` was chosen: the plan is in the log of the task before."""
    return not get_current_context()["params"]["dry_run"]


@task
def gate() -> dict[str, Any]:
    """Judge the result by the dataset's limits. A failed verdict fails this task: nothing is published, no retry."""
    from emseg.tasks.alerting import refusal_alert
    from emseg.tasks.gate import gate_run
    from emseg.tasks.run_links import run_links

    folder, run = run_of(get_current_context())
    verdict = gate_run(run)
    report = {"Report": report_address(folder.dataset, folder.run)}
    figures = [f"{name}: {value:.6g}" for name, value in verdict.figures.items()]
    pages = [f"{title}: {address}" for title, address in {**report, **run_links(run)}.items()]
    log.info("The gate %s this result.\n%s", "passes" if verdict.passed else "refuses", "\n".join(figures + pages))
    if not verdict.passed:
        raise GateRefusalError(refusal_alert(run, verdict, report))
    return {"passed": verdict.passed, "fingerprint": verdict.fingerprint, "figures": verdict.figures}


@task(outlets=[RELEASES], on_success_callback=PublicationNotifier())
def publish() -> dict[str, Any]:
    """Commit the run's DVID branch, move the dataset's release to it, and tell waiting DAGs by an Asset event."""
    from emseg.tasks.publish import is_served, publish_run

    folder, run = run_of(get_current_context())
    release = publish_run(run)
    log.info("Release %d of %s: node %s, %s", release.number, folder.dataset, release.uuid, release.instance)
    event = {"uuid": release.uuid, "instance": release.instance, "number": release.number}
    if is_served(folder.store, release):
        get_current_context()["outlet_events"][RELEASES].add(release_asset(folder.dataset), extra=event)
    else:
        log.warning("A later release is served, so no event is sent. This result comes back by a rollback only")
    return event


def run_of(context: Context, before: str = "") -> tuple[RunFolder, RunContext[DvidServices]]:
    """The run that this task works on: its folder, and its run context as it is before a stage, or after all."""
    from emseg.tasks.run_folder import RunFolder

    reference, opened = RunReference.of(context), services()
    folder = RunFolder(opened.store, reference.dataset, reference.run)
    return folder, folder.context(uuid4().hex[:12], lambda: opened, before)
