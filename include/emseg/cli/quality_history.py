"""`emseg history`: what every judged run of a dataset measured, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from emseg.cli.connecting import connected
from emseg.cli.console import console
from emseg.config import datasets_folder, load_dataset
from emseg.disk import write_whole
from emseg.errors import IntegrityError
from emseg.quality import HistoryEntry, Judged, history_form, read_history

_COLUMNS = {"vi_split": "VI split", "vi_merge": "VI merge", "vi": "VI", "adapted_rand_error": "ARE"}


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
    console.print(_table(found.entries))
    if plot is not None:
        from emseg.quality.trend_picture import trend_picture

        write_whole(plot, trend_picture([each for each in found.entries if not each.judged.is_of_watch], dataset))
        console.print(f"picture: {plot}")
    if found.damaged:
        lost = f"{len(found.damaged)} damaged, left out: {', '.join(found.damaged)}"
        raise IntegrityError("reading the history", dataset, lost, history_form(dataset).remedy)


def _table(entries: tuple[HistoryEntry, ...]) -> Table:
    titles = ("time", "run", *_COLUMNS.values(), "verdict", "served then", "measured on")
    table = Table(*(Column(title, overflow="fold") for title in titles))
    names: dict[tuple[str, str], str] = {}
    for each in entries:
        judged = each.judged
        on = names.setdefault((judged.groundtruth, judged.region), chr(ord("A") + len(names) % 26))
        verdict = _verdict(judged)
        served = "none" if judged.served_release is None else f"release {judged.served_release}"
        table.add_row(
            f"{judged.time:%Y-%m-%d %H:%M}",
            judged.run,
            *(_cell(each, metric) for metric in _COLUMNS),
            verdict,
            served,
            on,
        )
    table.caption = (
        "95 % of resamples of the subvolumes in brackets. Compare figures of one letter only: ground truth and region"
    )
    return table


def _verdict(judged: Judged) -> str:
    if judged.is_of_watch:
        return "watched: good" if judged.verdict_passed else "watched: worse"
    return "passed" if judged.verdict_passed else "refused"


def _cell(entry: HistoryEntry, metric: str) -> str:
    one = next((each for each in entry.measurements if each.metric == metric), None)
    if one is None or one.value is None:
        return "-"
    spread = "" if one.low is None or one.high is None else f" [{one.low:.3f}, {one.high:.3f}]"
    return f"{one.value:.3f}{spread}"
