"""`emseg plan`, `run`, `status` and `rollback`: a dataset without Airflow and Spark, in this process."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.markdown import Markdown

from emseg.cli.console import console
from emseg.cli.place import connected
from emseg.config import RunParameters, RunSpec, StitchMode, datasets_folder, load_dataset
from emseg.config.base import validated
from emseg.publish import current_release, releases, roll_back
from emseg.stages import (
    DvidServices,
    InProcess,
    RunFolder,
    Workplace,
    gate_run,
    plan_run,
    publish_run,
    resolve_run,
    run_evaluate,
    run_name,
    run_segment,
    run_stitch,
    view_link,
)

DatasetName = Annotated[str, typer.Argument(help="Dataset file under include/datasets, without .yaml")]
NodeOption = Annotated[str | None, typer.Option(help="DVID version: UUID, or UUID:branch")]
RoiOption = Annotated[str | None, typer.Option(help="DVID ROI instance to stay inside")]
PresetOption = Annotated[str | None, typer.Option(help="Named pipeline of steps")]
StitchOption = Annotated[StitchMode | None, typer.Option(help="Which overlaps join bodies")]


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command()(plan)
    cli.command()(run)
    cli.command()(status)
    cli.command()(rollback)


def plan(
    dataset: DatasetName,
    node: NodeOption = None,
    roi: RoiOption = None,
    preset: PresetOption = None,
    stitch: StitchOption = None,
) -> None:
    """Check a run and show what it would do and what is done already; writes nothing."""
    known(dataset)
    services = connected()
    spec = _resolved(services, "plan", dataset=dataset, node=node, roi=roi, preset=preset, stitch=stitch)
    console.print(Markdown(plan_run(spec, services).markdown()))


def run(
    dataset: DatasetName,
    node: NodeOption = None,
    roi: RoiOption = None,
    preset: PresetOption = None,
    stitch: StitchOption = None,
    publish: Annotated[bool, typer.Option(help="Publish the result when the gate passes")] = False,
) -> None:
    """Run a dataset in this process, with the same stages, keys and markers as the Spark jobs."""
    known(dataset)
    services = connected()
    name = run_name(f"cli-{uuid4().hex[:12]}")
    spec = _resolved(services, name, dataset=dataset, node=node, roi=roi, preset=preset, stitch=stitch)
    RunFolder(services.store, spec.dataset, name).write("spec", spec)
    place = Workplace(spec, uuid4().hex[:12], lambda: services)
    console.print(f"run {name}")
    for stage in (run_segment, run_stitch, run_evaluate):
        report = stage(place, InProcess())
        console.print(f"{report.stage}: {report.items_done} items done, {report.items_reused} reused")
    verdict = gate_run(spec, services)
    console.print(f"verdict: {'passed' if verdict.passed else 'failed'}", *verdict.reasons, sep="\n  ")
    if publish and verdict.passed:
        release = publish_run(spec, services)
        console.print(f"release {release.number}: {release.uuid}")
    if not verdict.passed:
        raise typer.Exit(1)


def status(dataset: DatasetName) -> None:
    """Show the releases of a dataset, which of them is served, and where to look at it."""
    services = connected()
    served = current_release(services.store, dataset)
    if served is None:
        console.print(f"{dataset}: nothing published yet")
        return
    for release in releases(services.store, dataset):
        split, merge = release.figures["vi_split"], release.figures["vi_merge"]
        state = ", served" if release.number == served.number else ""
        console.print(
            f"release {release.number}{state}: node {release.uuid}, instance {release.instance}"
            f", VI split {split:.3f}, merge {merge:.3f} bits"
        )
    console.print(view_link(RunFolder(services.store, dataset, served.run).pinned(), services))


def rollback(
    dataset: DatasetName, number: Annotated[int, typer.Argument(help="Number of the release to serve again")]
) -> None:
    """Serve an earlier release again, as a new release of the same DVID node."""
    release = roll_back(connected().store, dataset, number)
    console.print(f"{dataset}: release {release.number} serves node {release.uuid}")


def known(dataset: str) -> None:
    """Refuse an unknown dataset or a bad file before any server is asked."""
    load_dataset(datasets_folder(), dataset)


def _resolved(services: DvidServices, run_id: str, **choices: Any) -> RunSpec:
    parameters = validated(RunParameters, choices, "checking the options", "emseg")
    return resolve_run(parameters, run_id, datasets_folder(), services.server, services.model, services.edits)
