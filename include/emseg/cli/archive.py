"""`emseg archive`: the library as one file, which Spark brings to executors that have no emseg."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emseg.cli.console import console
from emseg.tasks.archive import write_archive


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(archive)


def archive(
    folder: Annotated[Path, typer.Argument(help="Where to put it; its name holds a digest of the code")],
) -> None:
    """Write the library as one file for Spark executors that have no emseg, and print its path."""
    console.out(str(write_archive(folder)))
