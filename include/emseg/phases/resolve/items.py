"""The items of `resolve`: which region an item is about, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emseg.config.edits import EditKind
from emseg.phases.run_context import RunContext
from emseg.stitch.regions import Regions

STRONG, JOIN, BODIES = "strong", "join", "bodies"
"""What is done: join on strong evidence alone, join, or write a part of the result."""


@dataclass(frozen=True)
class RegionItem:
    """One region of a level. Items of `BODIES` are of level 0, and their names say no level."""

    does: str
    level: int
    number: int

    @property
    def name(self) -> str:
        """Id used in keys and messages, such as `join-1-00000007` or `bodies-00000007`."""
        return "-".join([self.does, *([] if self.does == BODIES else [str(self.level)]), f"{self.number:08d}"])

    @classmethod
    def of_name(cls, name: str) -> RegionItem:
        """The item of this `name`."""
        does, *level, number = name.split("-")
        return cls(does, int(level[0]) if level else 0, int(number))


def regions_of(run: RunContext[Any]) -> Regions:
    """The regions of the grid of a run."""
    return Regions(run.grid.shape)


def regions_used(run: RunContext[Any], level: int) -> list[int]:
    """Numbers of the regions of a level that hold a selected subvolume, ascending."""
    numbers: list[int] = np.unique(regions_of(run).holding(np.asarray(run.cells, np.int64), level)).tolist()
    return numbers


def waves_of(run: RunContext[Any]) -> tuple[tuple[str, ...], ...]:
    """Names of all items that hold a selected subvolume, level by level."""
    regions = regions_of(run)
    used = [regions_used(run, level) for level in range(regions.levels)]
    parts = any(edit.kind is EditKind.PART for edit in run.spec.edits.edits)
    joins = [(does, level) for does in ([STRONG] if parts else []) + [JOIN] for level in range(regions.levels)]
    return tuple(
        tuple(RegionItem(does, level, number).name for number in used[level]) for does, level in [*joins, (BODIES, 0)]
    )
