"""The tasks that run in Airflow itself: each calls one function of `emseg.stages` and returns ids or a verdict.

A function's docstring is shown in the UI as the documentation of its task. What is large stays in the run folder of
the object store; returned values are under 4 kB.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Asset, AssetAlias, get_current_context, task

from emseg.config import RunParameters, datasets_folder
from emseg.config.base import validated
from emseg_airflow.connections import services
from emseg_airflow.reference import RESOLVE, RunReference
from emseg_airflow.refusal import GateRefusalError

log = logging.getLogger(__name__)

RELEASES = AssetAlias("emseg_releases")
"""Every release, of whatever dataset; schedule a DAG on this alias, or on the Asset of one dataset."""


def release_asset(dataset: str) -> Asset:
    """The published segmentation of a dataset: each release is an event with its uuid, instance and number."""
    return Asset(name=f"emseg_{dataset}", uri=f"x-emseg://{dataset}", group="emseg")


@task(task_id=RESOLVE)
def resolve() -> dict[str, str]:
    """Check the parameters and the dataset file, pin every reference, and keep the result as the run's `spec`."""
    from emseg.stages import RunFolder, resolve_run, run_name

    context = get_current_context()
    run = run_name(context["run_id"])
    parameters = validated(RunParameters, dict(context["params"]), "checking the run parameters", run)
    here = services()
    spec = resolve_run(parameters, run, datasets_folder(), here.server, here.model, here.edits)
    RunFolder(here.store, spec.dataset, run).write("spec", spec)
    return RunReference(dataset=spec.dataset, run=run).model_dump()


@task
def plan() -> dict[str, Any]:
    """List the subvolumes, what they cost and what is done already; the log shows it as a table."""
    from emseg.stages import RunFolder, plan_run

    run, here = RunReference.of(get_current_context()), services()
    folder = RunFolder(here.store, run.dataset, run.run)
    planned = plan_run(folder.spec(), here)
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
    from emseg.quality import Findings
    from emseg.stages import RunFolder, gate_run
    from emseg.stages.addresses import run_links

    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells its life's story at level INFO
    run, here = RunReference.of(get_current_context()), services()
    folder = RunFolder(here.store, run.dataset, run.run)
    spec = folder.spec()
    verdict = gate_run(spec, here)
    links = {"Report": folder.address("report.html"), **run_links(spec, here)}
    figures = [f"{name}: {value:.6g}" for name, value in verdict.figures.items()]
    places = [f"{title}: {address}" for title, address in links.items()]
    log.info("The gate %s this result.\n%s", "passes" if verdict.passed else "refuses", "\n".join(figures + places))
    if not verdict.passed:
        raise GateRefusalError(verdict, folder.read("findings", Findings).sentences(), links)
    return {"passed": verdict.passed, "fingerprint": verdict.fingerprint, "figures": verdict.figures}


@task(outlets=[RELEASES])
def publish() -> dict[str, Any]:
    """Commit the run's DVID branch, move the dataset's release to it, and tell waiting DAGs by an Asset event."""
    from emseg.stages import RunFolder, publish_run

    context = get_current_context()
    run, here = RunReference.of(context), services()
    release = publish_run(RunFolder(here.store, run.dataset, run.run).spec(), here)
    log.info("Release %d of %s: node %s, %s", release.number, run.dataset, release.uuid, release.instance)
    event = {"uuid": release.uuid, "instance": release.instance, "number": release.number}
    context["outlet_events"][RELEASES].add(release_asset(run.dataset), extra=event)
    return event
