"""The command `emseg`. An error of emseg ends it with its message and its exit code, never with a traceback."""

from __future__ import annotations

import logging
import sys

import typer
from rich.logging import RichHandler
from rich.markup import escape

from emseg.cli import on_demand
from emseg.cli.console import console, errors
from emseg.errors import EmsegError, NoRoomError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From EM grayscale in DVID to published neurons.",
)
on_demand.add_to(cli)


def app() -> None:
    """Entry point of the command `emseg`."""
    handler = RichHandler(console=console, show_path=False, show_level=False, rich_tracebacks=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("emseg").setLevel(logging.INFO)
    try:
        _called()
    except EmsegError as error:
        errors.print(f"[bold red]{type(error).__name__}[/] {escape(str(error))}", highlight=False)
        sys.exit(error.exit_code)


def _called() -> None:
    try:
        cli()
    except (OSError, MemoryError) as error:
        raise NoRoomError.of(error, "running emseg", " ".join(sys.argv[1:2])) or error from error
