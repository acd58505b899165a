"""How far an ingestion is, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emseg.geometry import Box

Progress = Callable[[int, int], None]
"""Called after every brick with the number done and the number there are."""


@dataclass(frozen=True)
class IngestReceipt:
    """The voxels that were written, in how many bricks, and how many different labels they hold (0: an image)."""

    box: Box
    bricks: int
    labels: int = 0


def no_progress(done: int, total: int) -> None:
    """Say nothing."""
