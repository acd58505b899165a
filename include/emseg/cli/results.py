"""`emseg runs`, `status`, `publish`, `rollback`: the runs and releases of a dataset, and which release is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import uuid4

import typer

from emseg.cli.connecting import connected, require_dataset
from emseg.cli.console import console
from emseg.cli.people import checked_reason, user_name
from emseg.publish import ReleaseRecord, releases, roll_back, served_release
from emseg.store import ObjectStore
from emseg.tasks.approval import decide
from emseg.tasks.publish import is_served, publish_run
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import hidden_from_viewers, view_link
from emseg.tasks.run_list import RunSummary, runs_of

DatasetName = Annotated[str, typer.Argument(help="Dataset file under include/datasets, without .yaml")]

Why = Annotated[
    str, typer.Option(help="Why; the release record keeps it, with the name of who calls", callback=checked_reason)
]


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command()(runs)
    cli.command()(status)
    cli.command()(publish)
    cli.command()(rollback)


def runs(dataset: DatasetName) -> None:
    """List the runs of a dataset: when they started, how far they came, verdict and release."""
    found = runs_of(connected().store, dataset)
    if not found:
        require_dataset(dataset)
        console.print(f"{dataset}: no runs yet")
    for each in found:
        _show(each)


def status(dataset: DatasetName) -> None:
    """Show the releases of a dataset, which of them is served, and where to look at it."""
    services = connected()
    served = served_release(services.store, dataset)
    if served is None:
        require_dataset(dataset)
        console.print(f"{dataset}: nothing published yet")
        return
    for release in releases(services.store, dataset):
        state = ", served" if release.number == served.number else ""
        console.print(
            f"release {release.number}{state}: node {release.uuid}, instance {release.instance}"
            f", {judged_by(release.figures, release.has_groundtruth)}"
        )
        if release.approved_by:
            did = f"rolled back to {release.restores}" if release.restores else "approved"
            console.print(f"  {did} by {release.approved_by}: {release.why or 'no reason given'}", markup=False)
    run = RunFolder(services.store, dataset, served.run).pinned_context(lambda: services)
    console.print(view_link(run))
    for instance in hidden_from_viewers(run):
        console.print(
            f"The link does not open {instance} in full. Do: emseg dvid tell-viewers {served.uuid} {instance}"
        )


def judged_by(figures: Mapping[str, float], has_groundtruth: bool) -> str:
    """The figures of a result that a line has room for."""
    if has_groundtruth:
        return f"VI split {figures['vi_split']:.3f}, merge {figures['vi_merge']:.3f} bits"
    return f"no ground truth, {figures['bodies']:.0f} bodies, largest {100 * figures['largest_body_share']:.3g} %"


def publish(
    dataset: DatasetName,
    run: Annotated[str, typer.Argument(help="Run to publish, as `emseg runs` names it; its gate must have passed")],
    why: Why,
) -> None:
    """Approve the result of a run in your name, and publish it."""
    services = connected()
    context = RunFolder(services.store, dataset, run).context(uuid4().hex[:12], lambda: services)
    decide(context, "approved", user_name(), why)
    show_published(services.store, publish_run(context))


def rollback(
    dataset: DatasetName,
    number: Annotated[int, typer.Argument(help="Number of the release to serve again")],
    why: Why,
) -> None:
    """Serve an earlier release again, as a new release of the same DVID node."""
    store = connected().store
    show_published(store, roll_back(store, dataset, number, user_name(), why))


def show_published(store: ObjectStore, release: ReleaseRecord) -> None:
    """Print what readers get after a result was published, perhaps not for the first time."""
    told = f"{release.dataset}: release {release.number} serves node {release.uuid}"
    if not is_served(store, release):
        told = (
            f"{release.dataset}: this result is release {release.number} already, and a later release is served. "
            f"To serve this one again: emseg rollback {release.dataset} {release.number} --why ..."
        )
    console.print(told, markup=False, soft_wrap=True)


def _show(run: RunSummary) -> None:
    # A line, not a row of a table: a narrow terminal would cut the name, which other commands ask for.
    release = "none" if run.release is None else str(run.release)
    done = ", ".join(run.stages) or "none"
    console.print(f"{run.run}  {run.when or '-'}  done {done}  verdict {run.verdict}  release {release}")
