"""Figures that a dataset need not have, beside their limits, the served release and the history: rows for the gate.

Example: `gate.figures: {erl_nm: {limit: 4000, regression: 500}}`. A run with 4200 nm keeps the limit. The release has
4900 nm on the same skeletons, so the row `change_erl_nm` has the value 700, and fails.

One function makes the rows of all of them, also of those that plugins measure: a figure says its title, unit and
direction itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emseg.config.gate import FigurePolicy, GatePolicy
from emseg.evaluate import Figure, Value
from emseg.quality.against_history import spread_limit
from emseg.quality.comparison import Comparison, ShownFigure
from emseg.quality.history import HistoryEntry
from emseg.quality.rows import Metric, MetricRow, Scope

Figures = Mapping[Figure, Value]
_NONE = FigurePolicy()


def optional(own: Figures, policy: GatePolicy, dataset: str) -> Comparison:
    """The figures beside their own limits. One without a limit is told and has no row."""
    shown = tuple(_shown(figure, value, policy.figures.get(figure.name, _NONE)) for figure, value in own.items())
    metrics = {each.name: _metric(each, "volume") for each in own}
    limits = {each.name: each.limit for each in shown if each.limit is not None}
    return Comparison(
        metrics=tuple(metrics[name] for name in limits),
        limits={metrics[name].limit_name: limit for name, limit in limits.items()},
        rows=tuple(
            MetricRow("volume", dataset, each.name, each.value, each.limit, each.direction)
            for each in shown
            if each.limit is not None
        ),
        figures={each.name: each.value for each in shown if each.value is not None},
        why_none={each.name: each.why_none for each in shown if each.value is None},
        notes=_notes(shown),
        shown=shown,
    )


def optional_against_release(own: Figures, served: Figures, number: int, policy: GatePolicy) -> Comparison:
    """How much worse the figures are than those of release `number`, measured on the same ground truth and region."""
    others = {figure: value for figure, value in served.items() if not isinstance(value, str)}
    unknown = [f for f in served if f not in others and policy.figures.get(f.name, _NONE).regression is not None]
    limits = {f: limit for f in others if (limit := policy.figures.get(f.name, _NONE).regression) is not None}
    compared = _compared(own, others, limits, "change", f"release {number}")
    return compared.with_notes(
        *(f"{f.title} was not compared with release {number}, of which it was not measured" for f in unknown)
    )


def optional_against_history(own: Figures, comparable: Sequence[HistoryEntry], policy: GatePolicy) -> Comparison:
    """How much worse they are than the median of the last of `comparable`, oldest first, that have them."""
    last, mads = policy.history.last, policy.history.mads
    if mads is None:
        return Comparison()
    medians, limits = {}, {}
    for figure in own:
        allowed = policy.figures.get(figure.name, _NONE).regression
        known = [value for each in comparable if (value := each.value(figure.name)) is not None][-last:]
        if allowed is not None and len(known) == last:
            medians[figure] = float(np.median(known))
            limits[figure] = spread_limit(allowed, mads, [value - medians[figure] for value in known])
    return _compared(own, medians, limits, "trend", f"the median of the last {last} results")


def _compared(
    own: Figures, others: Mapping[Figure, float], limits: Mapping[Figure, float], scope: Scope, of: str
) -> Comparison:
    """Rows of how much worse each figure is than that of `of`, the median or the release."""
    rows, told, why_none = [], {}, {}
    metrics = {figure: _metric(figure, scope) for figure in limits}
    for figure, limit in limits.items():
        value, other, name = own[figure], others[figure], metrics[figure].name
        if isinstance(value, str):
            rows.append(MetricRow(scope, of, name, None, limit, "max"))
            why_none[name] = value
            continue
        worse = figure.worsening(value, other)
        rows.append(MetricRow(scope, of, name, worse, limit, "max"))
        told[name] = (
            f"{figure.title} is {worse:.4g} {figure.unit}".rstrip()
            + f" worse than that of {of} ({value:.6g}, there {other:.6g}); the gate allows {limit:.4g}"
        )
    named = {metrics[figure].limit_name: limit for figure, limit in limits.items()}
    return Comparison(tuple(metrics.values()), named, tuple(rows), told, why_none=why_none)


def _notes(shown: Sequence[ShownFigure]) -> tuple[str, ...]:
    """One for each reason for which figures are not there."""
    reasons = dict.fromkeys(each.why_none for each in shown if each.value is None)
    titles = {why: "; ".join(each.title for each in shown if each.why_none == why) for why in reasons}
    return tuple(f"Not measured: {titles[why]} ({why})" for why in reasons)


def _shown(figure: Figure, value: Value, policy: FigurePolicy) -> ShownFigure:
    return ShownFigure(
        name=figure.name,
        title=figure.title,
        unit=figure.unit,
        value=None if isinstance(value, str) else float(value),
        limit=policy.limit,
        direction=figure.direction,
        why_none=value if isinstance(value, str) else "",
    )


def _metric(figure: Figure, scope: Scope) -> Metric:
    if scope == "volume":
        return Metric(scope, figure.name, figure.title, figure.unit, f"figures_{figure.name}_{figure.direction}")
    title = f"Worsening of {figure.title}" if scope == "change" else f"{figure.title}, worse than the last runs"
    return Metric(scope, f"{scope}_{figure.name}", title, figure.unit, f"{scope}_figures_{figure.name}")
