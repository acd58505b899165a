"""The history of a dataset as a picture: two figures of every judged run over time, with the range of resamples.

They are VI and ARE; where no run had ground truth, the largest body and the number of bodies. A line joins the runs
that passed on one ground truth and region: a basis, numbered as in `emseg history`. The axis shows these runs: a
refused one that is far worse is a cross at the edge, with its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import BytesIO
from itertools import cycle
from typing import Any

from emseg.config.groundtruth import NO_GROUNDTRUTH
from emseg.quality.history import HistoryEntry, Measurement, bases
from emseg.quality.numbers import number

_SHOWN = {"vi": "VI split + merge, bits", "adapted_rand_error": "Adapted Rand error"}
_SHOWN_WITHOUT = {"largest_body_share": "Largest body, share", "bodies": "Bodies"}
"""Where no run had ground truth."""
_COLOURS = ("#1971c2", "#d9480f", "#2b8a3e", "#7048e8", "#a61e4d", "#495057")
_ROOM = 0.15
_LEGEND = "Dot: passed. Cross: refused. Bar: 95 % of resamples. Basis: ground truth and region."
_TITLE_CHARACTERS = 70

Found = tuple[HistoryEntry, Measurement]


def trend_picture(entries: Sequence[HistoryEntry], title: str) -> bytes:
    """PNG of all runs among the entries, oldest first; what the watch measured has a basis and no place in it."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    named, entries = bases(entries), [each for each in entries if not each.judged.is_of_watch]
    groups = _alike(entries)
    has_groundtruth = not entries or any(each.judged.groundtruth != NO_GROUNDTRUTH for each in entries)
    shown = _SHOWN if has_groundtruth else _SHOWN_WITHOUT
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True)
    for axis, (metric, label) in zip(axes, shown.items(), strict=True):
        _draw(axis, {named[each]: _known(alike, metric) for each, alike in groups.items()})
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
    if len(groups) > 1:
        axes[0].legend(loc="upper right", ncols=5, frameon=False)
    figure.suptitle(title if len(title) <= _TITLE_CHARACTERS else f"{title[: _TITLE_CHARACTERS - 1]}…", fontsize=12)
    figure.supxlabel(_LEGEND, fontsize=9)
    written = BytesIO()
    figure.savefig(written, format="png", dpi=110, metadata={"Software": None})
    return written.getvalue()


def _draw(axis: Any, groups: Mapping[int, Sequence[Found]]) -> None:
    low, high = _range([each for known in groups.values() for each in known])
    axis.set_ylim(low, high)
    for (basis, known), colour in zip(groups.items(), cycle(_COLOURS), strict=False):
        passed = [each for each in known if each[0].judged.verdict_passed]
        times, values = [entry.judged.time for entry, _ in passed], [one.value for _, one in passed]
        style: dict[str, Any] = {"color": colour, "linewidth": 1.4, "markersize": 5}
        axis.plot(times, values, "o-", label=f"basis {basis}", **style)
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


def _alike(entries: Sequence[HistoryEntry]) -> dict[tuple[str, str], list[HistoryEntry]]:
    groups: dict[tuple[str, str], list[HistoryEntry]] = {}
    for each in entries:
        groups.setdefault((each.judged.groundtruth, each.judged.region), []).append(each)
    return groups


def _known(entries: Sequence[HistoryEntry], metric: str) -> list[Found]:
    found = [(entry, one) for entry in entries for one in entry.measurements if one.metric == metric]
    return [(entry, one) for entry, one in found if one.value is not None]
