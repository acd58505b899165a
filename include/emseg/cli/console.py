"""Where the command line speaks: results to standard output, errors to standard error.

Texts come from files and servers, too. So none is read as markup, and what a terminal would obey is spelled out.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import LogRecord
from typing import Any

from rich.console import Console, ConsoleRenderable
from rich.logging import RichHandler
from rich.text import Text

from emseg.engine.progress import Progress
from emseg.errors import printable

LEAST_COLUMNS = 80
"""In a narrower terminal lines run on to the next row: a table would cut its cells off instead."""


class PrintableConsole(Console):
    """A console that shows every text as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(soft_wrap=True, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with commands to the terminal spelled out; rich calls this for lines and for cells."""
        return super().render_str(printable(text), **options)


class PrintableHandler(RichHandler):
    """Shows log records in the same way."""

    def render_message(self, record: LogRecord, message: str) -> ConsoleRenderable:
        """The message with commands to the terminal spelled out."""
        return super().render_message(record, printable(message))


console = PrintableConsole()
errors = PrintableConsole(stderr=True)
console.width = max(console.width, LEAST_COLUMNS)


def bricks_shown(what: str) -> Callable[[int, int], None]:
    """A progress callback of an ingestion that logs bricks done and the time left."""
    shown: list[Progress] = []

    def reached(done: int, total: int) -> None:
        if not shown:
            shown.append(Progress(what, total))
        shown[0].reached(done)

    return reached
