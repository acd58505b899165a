"""The history of a dataset as a picture: VI and ARE of every judged run over time, with the range of resamples.

A line joins the runs that passed on one ground truth and region; its letter is that of the table of `emseg history`.
The axis shows these runs: a refused one that is far worse is a cross at the edge, with its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from itertools import cycle
from typing import Any

from emseg.quality.history import HistoryEntry, Measurement
from emseg.quality.numbers import number

_SHOWN = {"vi": "VI split + merge, bits", "adapted_rand_error": "Adapted Rand error"}
_COLOURS = ("#1971c2", "#d9480f", "#2b8a3e", "#7048e8", "#a61e4d", "#495057")
_ROOM = 0.15
_LEGEND = "Dot: passed. Cross: refused. Bar: 95 % of resamples. Letters: ground truth and region, as in the table."
_TITLE_CHARACTERS = 70

Found = tuple[HistoryEntry, Measurement]


def trend_picture(entries: Sequence[HistoryEntry], title: str) -> bytes:
    """PNG of all entries, oldest first."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(len(_SHOWN), 1, sharex=True)
    for axis, (metric, label) in zip(axes, _SHOWN.items(), strict=True):
        _draw(axis, [_known(alike, metric) for alike in _alike(entries)])
        axis.set_ylabel(label)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    times = [entry.judged.time for entry in entries]
    if times:
        room = max((times[-1] - times[0]) * 0.05, timedelta(hours=6))
        axes[-1].set_xlim(times[0] - room, times[-1] + room)
    locator = AutoDateLocator(maxticks=8)
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    if len(_alike(entries)) > 1:
        axes[0].legend(loc="upper right", ncols=6, frameon=False)
    figure.suptitle(title if len(title) <= _TITLE_CHARACTERS else f"{title[: _TITLE_CHARACTERS - 1]}…", fontsize=12)
    figure.supxlabel(_LEGEND, fontsize=9)
    written = BytesIO()
    figure.savefig(written, format="png", dpi=110, metadata={"Software": None})
    return written.getvalue()


def _draw(axis: Any, groups: Sequence[Sequence[Found]]) -> None:
    low, high = _range([each for known in groups for each in known])
    axis.set_ylim(low, high)
    for group, (known, colour) in enumerate(zip(groups, cycle(_COLOURS), strict=False)):
        passed = [each for each in known if each[0].judged.verdict_passed]
        times, values = [entry.judged.time for entry, _ in passed], [one.value for _, one in passed]
        style: dict[str, Any] = {"color": colour, "linewidth": 1.4, "markersize": 5}
        axis.plot(times, values, "o-", label=chr(ord("A") + group % 26), **style)
        for entry, one in known:
            if one.low is not None and one.high is not None:
                axis.vlines(entry.judged.time, one.low, one.high, color=colour, alpha=0.3, linewidth=4)
            if not entry.judged.verdict_passed:
                _cross(axis, entry, one.value or 0.0, (low, high), colour)


def _cross(axis: Any, entry: HistoryEntry, value: float, limits: tuple[float, float], colour: str) -> None:
    low, high = limits
    shown = min(max(value, low), high)
    axis.plot([entry.judged.time], [shown], "x", color=colour, markersize=8, markeredgewidth=2, clip_on=False)
    if shown != value:
        given = {"textcoords": "offset points", "xytext": (8, -3), "fontsize": 9, "color": colour}
        axis.annotate(number(value), (entry.judged.time, shown), **given)


def _range(known: Sequence[Found]) -> tuple[float, float]:
    """From below to above all that passed, with its bars; of all runs where none passed."""
    wanted = [each for each in known if each[0].judged.verdict_passed] or list(known)
    seen = [value for _, one in wanted for value in (one.value, one.low, one.high) if value is not None] or [0.0]
    low, high = min(seen), max(seen)
    room = _ROOM * ((high - low) or abs(high) or 1.0)
    return max(low - room, 0.0), high + room


def _alike(entries: Sequence[HistoryEntry]) -> list[list[HistoryEntry]]:
    groups: dict[tuple[str, str], list[HistoryEntry]] = {}
    for each in entries:
        groups.setdefault((each.judged.groundtruth, each.judged.region), []).append(each)
    return list(groups.values())


def _known(entries: Sequence[HistoryEntry], metric: str) -> list[Found]:
    found = [(entry, one) for entry in entries for one in entry.measurements if one.metric == metric]
    return [(entry, one) for entry, one in found if one.value is not None]
