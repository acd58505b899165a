"""`emseg releases check` and `repair`: whether the release records of a dataset are whole, and making them so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from emseg.cli.connecting import connected, require_dataset
from emseg.cli.console import console
from emseg.publish import releases
from emseg.publish.mending import Fault
from emseg.store import ObjectStore
from emseg.tasks.releases import check_releases, repair_releases

cli = typer.Typer(no_args_is_help=True)

DatasetName = Annotated[str, typer.Argument(help="Dataset whose releases are meant")]


@cli.command()
def check(dataset: DatasetName) -> None:
    """Tell what is damaged, lost or contradicts DVID; exit code 1 where something is. Writes nothing."""
    services = connected()
    found = check_releases(services.store, services.server, dataset)
    mendable = [fault for fault in found if fault.record is not None]
    _show(found)
    if mendable:
        console.print(f"{len(mendable)} of {len(found)} can be mended: emseg releases repair {dataset}")
    _end(services.store, dataset, found)


@cli.command()
def repair(dataset: DatasetName) -> None:
    """Write lost and damaged records and the pointer again from their copies; tell what is left, with exit code 1."""
    services = connected()
    mended, left = repair_releases(services.store, services.server, dataset)
    for fault in mended:
        console.print(f"mended {fault.on}: {fault.found}. {fault.remedy}", markup=False)
    _show(left)
    _end(services.store, dataset, left)


def _show(found: Sequence[Fault]) -> None:
    for fault in found:
        console.print(f"{fault.on}: {fault.found}. {fault.remedy}.", markup=False)


def _end(store: ObjectStore, dataset: str, left: Sequence[Fault]) -> None:
    if left:
        raise typer.Exit(1)
    kept = releases(store, dataset)
    if not kept:
        require_dataset(dataset)
    console.print(f"{dataset}: the releases are whole" if kept else f"{dataset}: nothing published yet")
