"""Every command, and how the module of one is imported when it is called: `emseg --help` imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group

COMMANDS: dict[str, tuple[str, str]] = {
    "segment": ("files", "Segment a local volume: the same plan, steps and stitching as a real run."),
    "evaluate": (
        "evaluate",
        "Compare any two segmentations: two labelmaps in DVID, or two npz files of one shape.",
    ),
    "plan": ("runs", "Check a run and show what it would do and what is done already; writes nothing."),
    "run": ("runs", "Run a dataset in this process, with the same phases, keys and markers as the Spark jobs."),
    "runs": ("results", "List the runs of a dataset: when they started, how far they came, verdict and release."),
    "status": ("results", "Show the releases of a dataset, which of them is served, and where to look at it."),
    "publish": ("results", "Approve the result of a run in your name, and publish it."),
    "history": ("history", "Show what every judged run of a dataset measured, and how it changed."),
    "rollback": ("results", "Serve an earlier release again, as a new release of the same DVID node."),
    "releases": ("releases", "Check that the release records of a dataset are whole, and mend them."),
    "tidy": (
        "tidy",
        "Remove from the object store what no kept run, release or running attempt names; without --apply show it.",
    ),
    "demo": (
        "demo",
        "Take a volume through the whole pipeline; pictures, pages and summary.json are left in build/demo.",
    ),
    "train": ("train", "Train the steps of a preset; the report goes beside the model, into OUT-report."),
    "steps": ("steps", "List the known steps: emseg's own and those of allowed packages (EMSEG_STEP_PACKAGES)."),
    "metrics": (
        "metrics",
        "List the figures that a dataset file may give limits: emseg's own and those of allowed packages.",
    ),
    "archive": ("archive", "Write the library as one file for Spark executors that have no emseg, and print its path."),
    "devstack": ("devstack", "Start, stop and show a real DVID and S3, and if wished Airflow, on this computer."),
    "ingest": ("ingest", "Write volumes from files (image stack, npz/npy, HDF5, Zarr) into DVID."),
    "dvid": ("dvid", "Mend the logs of a DVID server, on its computer, and what it tells viewers."),
    "model": ("models", "List, show, store and fetch models of the trained steps, in the object store."),
    "stitch": ("stitch", "Explain, compare and correct how bodies were joined."),
}
"""Every command: its module in `emseg.cli`, and what `emseg --help` says about it."""


class OnDemand(TyperCommand):
    """A name and a summary that stand for a command; the command itself is imported when it is called."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command meant, which is then invoked in place of this one."""
        return loaded(str(self.name)).make_context(info_name, args, parent, **extra)


def add_to(cli: typer.Typer) -> None:
    """Register all commands."""
    for name, (_, summary) in COMMANDS.items():
        cli.command(name=name, help=summary, cls=OnDemand)(_not_called)


def loaded(name: str) -> Any:
    """The command `name` with its options, or the group of that name with its commands, as Typer builds it."""
    file, summary = COMMANDS[name]
    module, only = import_module(f"emseg.cli.{file}"), typer.Typer()
    if hasattr(module, "cli"):
        only.add_typer(module.cli, name=name, help=summary)
    else:
        module.add_to(only)
    return get_group(only).commands[name]


def _not_called() -> None:
    """What a stand-in would do; its command is called instead."""
