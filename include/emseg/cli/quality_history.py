"""`emseg history`: what every judged run of a dataset measured, in lines and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from emseg.cli.connecting import connected
from emseg.cli.console import console
from emseg.config import datasets_folder, load_dataset
from emseg.disk import write_whole
from emseg.errors import IntegrityError
from emseg.quality import HistoryEntry, Judged, history_form, read_history

_FIGURES = {"vi_split": "VI split", "vi_merge": "VI merge", "vi": "VI", "adapted_rand_error": "ARE"}


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command(name="history")(history)


def history(
    dataset: Annotated[str, typer.Argument(help="Dataset file under include/datasets, without .yaml")],
    plot: Annotated[Path | None, typer.Option(help="Write a picture of VI and ARE over time here, PNG")] = None,
) -> None:
    """Show what every judged run of a dataset measured, and how it changed."""
    found = read_history(connected().store, dataset)
    if not found.entries and not found.damaged:
        load_dataset(datasets_folder(), dataset)  # a name that nobody knows is refused
        console.print(f"{dataset}: no run was judged yet")
        return
    _show(found.entries)
    if plot is not None:
        from emseg.quality.trend_picture import trend_picture

        write_whole(plot, trend_picture([each for each in found.entries if not each.judged.is_of_watch], dataset))
        console.print(f"picture: {plot}")
    if found.damaged:
        lost = f"{len(found.damaged)} damaged, left out: {', '.join(found.damaged)}"
        raise IntegrityError("reading the history", dataset, lost, history_form(dataset).remedy)


def _show(entries: Sequence[HistoryEntry]) -> None:
    # Lines, not rows of a table: a narrow terminal would cut the name, which other commands ask for.
    bases: dict[tuple[str, str], int] = {}
    for each in entries:
        judged = each.judged
        basis = bases.setdefault((judged.groundtruth, judged.region), len(bases) + 1)
        served = "nothing" if judged.served_release is None else f"release {judged.served_release}"
        console.print(
            f"{judged.run}  {judged.time:%Y-%m-%d %H:%M}  {_verdict(judged)}  served then {served}  basis {basis}\n"
            f"    {', '.join(_told(each, metric) for metric in _FIGURES)}",
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


def _told(entry: HistoryEntry, metric: str) -> str:
    one = next((each for each in entry.measurements if each.metric == metric), None)
    if one is None or one.value is None:
        return f"{_FIGURES[metric]} -"
    spread = "" if one.low is None or one.high is None else f" [{one.low:.3f}, {one.high:.3f}]"
    return f"{_FIGURES[metric]} {one.value:.3f}{spread}"
