"""A result beside the last runs of its dataset that were measured alike: rows against their median.

Each release may be a little worse than the one before it, and no comparison of two would stop that. Example: eight runs
have a median VI of 1.20 bits, and their median absolute deviation is 0.01. With `mads: 4` and `regression.vi: 0.05` the
next run may have 1.259 bits: 4 x 1.4826 x 0.01 = 0.059 is more than 0.05. (1.4826 such deviations are one sigma of a
normal distribution.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emseg.config.gate import GatePolicy, Regression
from emseg.evaluate import Score
from emseg.quality.comparison import FIGURES, Comparison, value_of
from emseg.quality.history import HistoryEntry
from emseg.quality.rows import Metric, MetricRow

_SIGMA = 1.4826

TRENDS: Mapping[str, Metric] = {
    name: Metric(
        "trend",
        f"trend_{FIGURES[name].name}",
        f"{FIGURES[name].title} above the last runs",
        FIGURES[name].unit,
        f"trend_{name}",
    )
    for name in Regression.model_fields
}
"""How much worse a figure is than the median of the last comparable runs, by the field of `Regression`."""


def against_history(own: Score, comparable: Sequence[HistoryEntry], policy: GatePolicy) -> Comparison:
    """How much worse `own` is than the median of the last of `comparable`: other results, oldest first, that passed.

    No rows, and a note that says so, until there are enough.
    """
    wanted, mads = policy.history.last, policy.history.mads
    if mads is None:
        return Comparison(notes=("Not compared with the history: gate.history.mads is null",))
    last = comparable[-wanted:]
    if len(last) < wanted:
        return Comparison(
            notes=(
                f"Not compared with the history yet: gate.history.last asks for {wanted} results that passed on this "
                f"ground truth and region, and it has {len(last)}",
            )
        )
    rows, limits, told = [], {}, {}
    for name, allowed in dict(policy.regression).items():
        values = [each.value(FIGURES[name].name) for each in last]
        known = np.array([value for value in values if value is not None])
        if allowed is None or len(known) < wanted:
            continue
        median = float(np.median(known))
        limit = spread_limit(float(allowed), mads, list(known - median))
        figure, metric = FIGURES[name], TRENDS[name]
        worse = figure.worsening(value_of(own, figure), median)
        rows.append(MetricRow("trend", f"last {wanted} results", metric.name, worse, limit, metric.direction))
        limits[metric.limit_name] = limit
        told[metric.name] = (
            f"{figure.title} is {worse:.4g} {figure.unit} worse than the median of the last {wanted} results "
            f"({value_of(own, figure):.6g}, median {median:.6g}); the gate allows {limit:.4g}"
        )
    metrics = tuple(TRENDS[name] for name in TRENDS if TRENDS[name].limit_name in limits)
    note = f"Compared with the last {wanted} results that passed on this ground truth and region"
    return Comparison(metrics, limits, tuple(rows), told, notes=(note,))


def spread_limit(allowed: float, mads: float, off: Sequence[float]) -> float:
    """What is allowed above a median: `mads` median absolute deviations as sigmas, or `allowed` if that is more.

    `off` are the differences of the results from their median.
    """
    return max(allowed, mads * _SIGMA * float(np.median(np.abs(off))))


def comparable(
    entries: Sequence[HistoryEntry], groundtruth: str | None, region: str, fingerprint: str
) -> tuple[HistoryEntry, ...]:
    """The runs that `fingerprint` is compared with: measured alike and passed; each result once, as judged last.

    With `groundtruth` None, those of the same region: what was counted over all of it asks for no ground truth.
    """
    last = {
        each.judged.fingerprint: each
        for each in entries
        if each.judged.is_comparable(groundtruth, region) and each.judged.verdict_passed
    }
    last.pop(fingerprint, None)
    return tuple(sorted(last.values(), key=lambda each: each.judged.time))
