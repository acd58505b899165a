"""`emseg metrics`: every figure that `gate.figures` of a dataset file may name, with those of allowed packages."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from emseg.cli.console import console
from emseg.evaluate import OPTIONAL_FIGURES, Figure
from emseg.evaluate.plugin_registry import known_metrics

_NEEDS = {
    "voxels": "ground truth",
    "synapses": "volume.groundtruth.synapses",
    "skeletons": "volume.groundtruth.skeletons",
}


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(metrics)


def metrics(json: Annotated[bool, typer.Option("--json", help="For machines")] = False) -> None:
    """List the figures that a dataset file may give limits: emseg's own and those of allowed packages."""
    rows = [_row(figure, _NEEDS[figure.of], "") for figure in OPTIONAL_FIGURES.values()]
    for name, known in known_metrics().items():
        needs, package = f"gate.metrics: [{name}]", f"{known.package}, version {known.plugin.version}"
        rows += [_row(figure, needs, package) for figure in known.plugin.figures]
    if json:
        console.print_json(data=rows)
        return
    table = Table("figure", "better", "meaning", "needs", box=None, padding=(0, 1))
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for column in table.columns:
        column.overflow = "fold"  # a name that is cut cannot be written into a dataset file
    for row in rows:
        meaning = f"{row['title']}, {row['unit']}" if row["unit"] else row["title"]
        table.add_row(row["name"], row["better"], meaning, f"{row['needs']} {row['package']}".rstrip())
    console.print(table)


def _row(figure: Figure, needs: str, package: str) -> dict[str, str]:
    better = "less" if figure.direction == "max" else "more"
    return {
        "name": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "better": better,
        "needs": needs,
        "package": package,
    }
