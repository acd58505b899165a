"""Rows: what a benchmark measured, as a table for people and as JSON for whoever writes the documentation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from emseg.disk import write_whole


@dataclass(frozen=True)
class Row:
    """One figure. `name` begins with the data it was measured on; `unit` is `x` for a ratio."""

    name: str
    value: float
    unit: str


def shown(rows: Sequence[Row]) -> str:
    """The rows as lines of aligned text, four digits a figure."""
    width = max((len(row.name) for row in rows), default=0)
    return "\n".join(f"  {row.name:{width}}  {row.value:>10.4g}  {row.unit}" for row in rows)


def save(rows: Sequence[Row], file: Path) -> None:
    """Write the rows as a JSON list of `{"name", "value", "unit"}`."""
    write_whole(file, (json.dumps([asdict(row) for row in rows], indent=1) + "\n").encode())
