"""The command `emseg`. An error of emseg ends it with its message and its exit code, never with a traceback."""

from __future__ import annotations

import logging
import os
import signal
import sys
from io import TextIOWrapper
from typing import NoReturn

import typer
from rich.text import Text

from emseg.cli import on_demand
from emseg.cli.console import PrintableHandler, console, errors
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
    signal.signal(signal.SIGTERM, _ended)
    handler = PrintableHandler(console=console, show_path=False, show_level=False, rich_tracebacks=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("emseg").setLevel(logging.INFO)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter of a name shows its code
    try:
        _called()
    except EmsegError as error:
        errors.print(Text(type(error).__name__, "bold red"), str(error), highlight=False)
        sys.exit(error.exit_code)


def _ended(number: int, _: object) -> NoReturn:
    """End as at an error: servers that a command started are stopped, and a lease that it has is given back."""
    sys.exit(128 + number)


def _called() -> None:
    try:
        cli()
    except (OSError, MemoryError) as error:
        full = NoRoomError.of(error, "running emseg", " ".join(sys.argv[1:2]))
        if full is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes to standard output once more when it ends
        raise full from error
