"""The command `emseg`: put together from one module a topic; errors end it with their message, never a traceback."""

from __future__ import annotations

import logging
import sys

import typer
from rich.logging import RichHandler

from emseg.cli import demo, devstack, files, ingest, models, runs, steps, stitch, train
from emseg.cli.console import console, errors
from emseg.errors import EmsegError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From EM grayscale in DVID to published neurons.",
)
cli.add_typer(devstack.cli, name="devstack")
cli.add_typer(ingest.cli, name="ingest")
files.add_to(cli)
runs.add_to(cli)
demo.add_to(cli)
train.add_to(cli)
steps.add_to(cli)
cli.add_typer(models.cli, name="model")
cli.add_typer(stitch.cli, name="stitch")


def app() -> None:
    """Entry point of the command `emseg`."""
    handler = RichHandler(console=console, show_path=False, show_level=False, rich_tracebacks=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("emseg").setLevel(logging.INFO)
    try:
        cli()
    except EmsegError as error:
        errors.print(f"[bold red]{type(error).__name__}[/] {error}", highlight=False)
        sys.exit(error.exit_code)
