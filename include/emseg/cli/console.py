"""Where the command line speaks: results to standard output, errors to standard error."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from emseg.engine.progress import Progress

LEAST_COLUMNS = 80
"""In a narrower terminal lines run on to the next row: a table would cut its cells off instead."""

console = Console(soft_wrap=True)
console.width = max(console.width, LEAST_COLUMNS)
errors = Console(stderr=True, soft_wrap=True)


def bricks_shown(what: str) -> Callable[[int, int], None]:
    """A progress callback of an ingestion that logs bricks done and the time left."""
    shown: list[Progress] = []

    def reached(done: int, total: int) -> None:
        if not shown:
            shown.append(Progress(what, total))
        shown[0].reached(done)

    return reached
