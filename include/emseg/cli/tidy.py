"""`emseg tidy`: what housekeeping would remove, and with `--apply` its removal."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markdown import Markdown

from emseg.cli.connecting import connected, require_dataset
from emseg.cli.console import console
from emseg.config.base import validated
from emseg.config.housekeeping import HousekeepingPolicy
from emseg.tasks.tidy import tidy as tidied

DEFAULTS = HousekeepingPolicy()


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(tidy)


def tidy(
    dataset: Annotated[str | None, typer.Argument(help="One dataset; all of the bucket where it is not given")] = None,
    keep_runs: Annotated[
        int, typer.Option(help="Keep this many of the last runs of each dataset")
    ] = DEFAULTS.keep_runs,
    older_than_days: Annotated[
        float, typer.Option(help="Remove nothing that was written within so many days")
    ] = DEFAULTS.older_than_days,
    apply: Annotated[bool, typer.Option("--apply", help="Remove it; without this option nothing is removed")] = False,
) -> None:
    """Remove from the object store what no kept run, release or running attempt names; without --apply show it."""
    fields = {"keep_runs": keep_runs, "older_than_days": older_than_days}
    policy = validated(HousekeepingPolicy, fields, "checking the options", "emseg tidy")
    services = connected()
    if dataset is not None and dataset not in services.store.folders_under(""):
        require_dataset(dataset)
    report = tidied(services, policy, dry_run=not apply, dataset=dataset)
    console.print(Markdown(report.markdown()))
    report.require_complete()
