"""`emseg history`: what every judged run of a dataset measured, in lines and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from emseg.cli.connecting import connected, require_dataset
from emseg.cli.console import console
from emseg.config.groundtruth import NO_GROUNDTRUTH
from emseg.disk import write_whole
from emseg.errors import IntegrityError
from emseg.quality import HistoryEntry, Judged, history_form, read_history
from emseg.quality.history import bases

_FIGURES = {"vi_split": "VI split", "vi_merge": "VI merge", "vi": "VI", "adapted_rand_error": "ARE"}
_FIGURES_WITHOUT = {"bodies": "bodies", "largest_body_share": "share of the largest body", "seam_excess": "seam excess"}
"""Where there was no ground truth."""


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command(name="history")(history)


def history(
    dataset: Annotated[str, typer.Argument(help="Dataset file under include/datasets, without .yaml")],
    plot: Annotated[Path | None, typer.Option(help="Write a picture here, PNG: what changed over time")] = None,
) -> None:
    """Show what every judged run of a dataset measured, and how it changed."""
    found = read_history(connected().store, dataset)
    if not found.entries and not found.damaged:
        require_dataset(dataset)
        console.print(f"{dataset}: no run was judged yet")
        return
    _show(found.entries)
    if plot is not None:
        from emseg.quality.trend_picture import trend_picture

        write_whole(plot, trend_picture(found.entries, dataset))
        console.print(f"picture: {plot}")
    if found.damaged:
        lost = f"{len(found.damaged)} damaged, left out: {', '.join(found.damaged)}"
        raise IntegrityError("reading the history", dataset, lost, history_form(dataset).remedy)


def _show(entries: Sequence[HistoryEntry]) -> None:
    # Lines, not rows of a table: a narrow terminal would cut the name, which other commands ask for.
    numbered = bases(entries)
    for each in entries:
        judged = each.judged
        basis = numbered[judged.groundtruth, judged.region]
        figures = _FIGURES_WITHOUT if judged.groundtruth == NO_GROUNDTRUTH else _FIGURES
        served = "nothing" if judged.served_release is None else f"release {judged.served_release}"
        console.print(
            f"{judged.run}  {judged.time:%Y-%m-%d %H:%M}  {_verdict(judged)}  served then {served}  basis {basis}\n"
            f"    {', '.join(f'{title} {_value(each, metric)}' for metric, title in figures.items())}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    console.print(
        "In brackets: 95 % of resamples of the subvolumes. Compare figures of one basis only: ground truth and region"
    )


def _verdict(judged: Judged) -> str:
    if judged.is_of_watch:
        return "watched: good" if judged.verdict_passed else "watched: worse"
    return "passed" if judged.verdict_passed else "refused"


def _value(entry: HistoryEntry, metric: str) -> str:
    one = next((each for each in entry.measurements if each.metric == metric), None)
    if one is None or one.value is None:
        return "-"
    spread = "" if one.low is None or one.high is None else f" [{one.low:.3f}, {one.high:.3f}]"
    return f"{one.value:.0f}{spread}" if metric == "bodies" else f"{one.value:.3f}{spread}"
