"""What an alert says about a callback of Airflow: a failed task, a failed run, a late run, a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emseg.errors import EmsegError
from emseg_airflow.pages import report_address, run_address
from emseg_airflow.refusal import GateRefusalError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from emseg.alerts import Alert
    from emseg.config.alerts import AlertPolicy
    from emseg.store import ObjectStore

RUN = "Run in Airflow"

NOT_CHOSEN = "not chosen"
"""Dataset of an alert about a run that is about no dataset, or about none that there is."""


def failure_alert(context: Context) -> Alert:
    """The alert about a failed task (`exception` in the context where its worker lived to tell) or a failed run."""
    from emseg.alerts import Alert

    error = context.get("exception")
    if isinstance(error, GateRefusalError):
        return error.alert.model_copy(update={"links": {**error.alert.links, **_pages(context)}})
    about = {"kind": "failed", "severity": "error", **_about(context), "links": _pages(context)}
    if "reason" in context:
        reason = context["reason"]
        return Alert(**about, title="A run failed", cause=f"run: {reason}", reasons=(f"Airflow says: {reason}",))
    task = context["ti"].task_id
    reason = str(error) if error else "The task ended without an error of its own: its worker was lost or killed"
    return Alert(**about, title=f"Task {task} failed", cause=f"{task}: {_fault(error)}", reasons=(reason,))


def publication_alerts(
    context: Context, store: ObjectStore, policy_of: Callable[[str], AlertPolicy]
) -> Iterator[Alert]:
    """`recovered` for the first publication after trouble; else `published` where this run made the release."""
    from emseg.alerts import trouble_ended_by
    from emseg.publish import ReleaseRecord
    from emseg.tasks.alerting import publication_alert
    from emseg.tasks.run_folder import RunFolder
    from emseg_airflow.reference import RunReference

    run = RunReference.of(context)
    release = RunFolder(store, run.dataset, run.run).read("release", ReleaseRecord)
    links = {"Report": report_address(run.dataset, run.run), **_pages(context)}
    trouble = trouble_ended_by(store, run.dataset, run.run)
    if trouble is not None and policy_of(run.dataset).recovered is not None:
        title = f"A run is published again, after: {trouble.title}"[:200]
        found = publication_alert("recovered", title, release, links)
        yield found.model_copy(update={"run": run.run, "cause": trouble.cause})
    elif release.run == run.run:
        yield publication_alert("published", f"Release {release.number} is published", release, links)


def late_alert(dataset: str, run: Mapping[str, Any], after_h: float) -> Alert:
    """The alert about a run, as Airflow's API describes it, that is going on so many hours after it was queued."""
    from emseg.alerts import Alert
    from emseg.tasks.run_folder import run_name

    return Alert(
        kind="late",
        severity="warning",
        title=f"A run is not done after {after_h:g} hours",
        dataset=dataset,
        run=run_name(run["dag_run_id"]),
        reasons=(f"It was queued at {run['queued_at']}, began at {run['start_date']} and is {run['state']}",),
        links={RUN: run_address(run["dag_id"], run["dag_run_id"])},
    )


def _about(context: Mapping[str, Any]) -> dict[str, str]:
    from emseg.tasks.run_folder import run_name

    dataset = context.get("params", {}).get("dataset") or NOT_CHOSEN
    return {"dataset": dataset, "run": run_name(context["run_id"])}


def _fault(error: BaseException | None) -> str:
    """What kind of fault it is, in words that are the same when it comes again: no numbers, no names of objects."""
    doing = f", {error.doing}" if isinstance(error, EmsegError) else ""
    return f"{type(error).__name__}{doing}"


def _pages(context: Mapping[str, Any]) -> dict[str, str]:
    pages = {RUN: run_address(context["dag"].dag_id, context["run_id"])} if "dag" in context else {}
    return {**pages, **({"Log of the task": context["ti"].log_url} if "ti" in context else {})}
