"""The history of a dataset as a picture: VI and ARE of every judged run over time, with the range of resamples."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np

from emseg.quality.history import HistoryEntry, Measurement

_SHOWN = {"vi": "VI split + merge, bits", "adapted_rand_error": "Adapted Rand error"}


def trend_picture(entries: Sequence[HistoryEntry], title: str) -> bytes:
    """PNG. A line joins runs on the same ground truth and region; a cross is a run that the gate refused."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    for axis, (metric, label) in zip(figure.subplots(len(_SHOWN), 1, sharex=True), _SHOWN.items(), strict=True):
        for alike in _alike(entries):
            found = [(each, _measurement(each, metric)) for each in alike]
            known = [(each, one) for each, one in found if one is not None and one.value is not None]
            times = [each.judged.time for each, _ in known]
            values = np.array([one.value for _, one in known], np.float64)
            lines = axis.plot(times, values, "-", linewidth=1)
            spread = [_spread(one) for _, one in known]
            if known:
                axis.errorbar(times, values, np.array(spread).T, fmt="none", ecolor=lines[0].get_color(), alpha=0.5)
            for marker, passed in (("o", True), ("x", False)):
                of_kind = [i for i, (each, _) in enumerate(known) if each.judged.verdict_passed is passed]
                axis.plot([times[i] for i in of_kind], values[of_kind], marker, color=lines[0].get_color())
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.suptitle(f"{title}: judged runs (x: refused); a line for each ground truth and region")
    figure.autofmt_xdate()
    written = BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _alike(entries: Sequence[HistoryEntry]) -> list[list[HistoryEntry]]:
    groups: dict[tuple[str, str], list[HistoryEntry]] = {}
    for each in entries:
        groups.setdefault((each.judged.groundtruth, each.judged.region), []).append(each)
    return list(groups.values())


def _measurement(entry: HistoryEntry, metric: str) -> Measurement | None:
    return next((each for each in entry.measurements if each.metric == metric), None)


def _spread(one: Measurement) -> tuple[float, float]:
    """How far the range of the resamples reaches below and above the value; the value may lie outside of it."""
    if one.value is None or one.low is None or one.high is None:
        return 0.0, 0.0
    return max(one.value - one.low, 0.0), max(one.high - one.value, 0.0)
