"""The command `emseg`. An error of emseg ends it with its message and its exit code, never with a traceback."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from typing import NoReturn

import typer
from rich.text import Text

from emseg.cli import on_demand
from emseg.cli.console import PrintableHandler, console, errors
from emseg.disk import is_full
from emseg.errors import EmsegError, PermanentError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From EM grayscale in DVID to published neurons.",
)
on_demand.add_to(cli)


def app() -> None:
    """Entry point of the command `emseg`."""
    handler = PrintableHandler(console=console, show_path=False, show_level=False, rich_tracebacks=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("emseg").setLevel(logging.INFO)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter of a name shows its code
    try:
        cli()
    except EmsegError as error:
        _end(error)
    except OSError as error:
        if not is_full(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes once more when it ends
        where = str(error.filename or "standard output, or a temporary file")
        found = error.strerror or "the disk is full"
        _end(PermanentError("writing what the command gives", where, found, "Free space there; then run it again"))


def _end(error: EmsegError) -> NoReturn:
    errors.print(Text(type(error).__name__, "bold red"), str(error), highlight=False)
    sys.exit(error.exit_code)
