"""The figures of a report: each judged number with its interval, beside the served release; and how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType

from emseg.evaluate import interval
from emseg.quality.against_history import TRENDS
from emseg.quality.against_release import Measured
from emseg.quality.comparison import CHANGES, FIGURES, Comparison
from emseg.quality.everywhere import EVERYWHERE, EVERYWHERE_ROWS
from emseg.quality.history import HistoryEntry, Measurement
from emseg.quality.report.document import Interval, ReportFigure, Trend, TrendPoint
from emseg.quality.rows import METRICS, SIGNED, Metric, MetricRow

TREND_POINTS = 50
"""Runs of the history that a trend shows, the last ones."""
MOST_TRENDS = 18


class ReportFigures:
    """Makes figures and trends. `compared` tells how metrics are called, beside those that are always there."""

    def __init__(self, compared: Sequence[Comparison] = ()) -> None:
        always = (*METRICS, *CHANGES.values(), *TRENDS.values(), *EVERYWHERE_ROWS)
        known = (*always, *(metric for each in compared for metric in each.metrics))
        self._shown = [figure for each in compared for figure in each.shown]
        described = [Metric("volume", f.name, f.title, f.unit, f"{f.name}_{f.direction}") for f in self._shown]
        self._known: dict[tuple[str, str], Metric] = {
            (metric.scope, metric.name): metric for metric in (*described, *known)
        }

    def figures(
        self,
        rows: Sequence[MetricRow],
        own: Measured | None,
        served: Measured | None,
        known: Mapping[str, float] = MappingProxyType({}),
        counted: Mapping[str, float] = MappingProxyType({}),
    ) -> tuple[ReportFigure, ...]:
        """VI, a figure for each row that is not of a subvolume, and one for what was measured and has no limit.

        `served` is the served release, measured on the same voxels. What is not in it is taken from `known`: figures
        of that release by metric, for what was measured alike.
        """
        judged = [self._figure(row, own, served, known) for row in rows if row.scope != "subvolume"]
        told = set(counted) & set(EVERYWHERE) - {row.metric for row in rows if row.scope == "everywhere"}
        free = [MetricRow("everywhere", "", name, counted[name], 0.0, "max") for name in EVERYWHERE if name in told]
        vi = [] if own is None else [MetricRow("volume", "", FIGURES["vi"].name, own.score.vi, 0.0, "max")]
        optional = [
            MetricRow("volume", "", figure.name, figure.value, 0.0, figure.direction)
            for figure in self._shown
            if figure.limit is None
        ]
        first, last = ([self._without_limit(row, own, served, known) for row in each] for each in (vi, optional + free))
        return (*first, *judged, *last)

    def trends(self, entries: Sequence[HistoryEntry]) -> tuple[Trend, ...]:
        """A trend for each figure of the last of `entries`, which were all measured alike; the first `MOST_TRENDS`."""
        if not entries:
            return ()
        wanted = [
            each.metric
            for each in entries[-1].measurements
            if not each.metric.startswith(("change_", "trend_", "version_"))
        ]
        found = (self._trend(metric, entries[-TREND_POINTS:]) for metric in wanted[:MOST_TRENDS])
        return tuple(trend for trend in found if trend.points)

    def _without_limit(
        self, row: MetricRow, own: Measured | None, served: Measured | None, known: Mapping[str, float]
    ) -> ReportFigure:
        return self._figure(row, own, served, known).model_copy(update={"limit": None, "kept": True})

    def _figure(
        self, row: MetricRow, own: Measured | None, served: Measured | None, known: Mapping[str, float]
    ) -> ReportFigure:
        title, unit = self._named(row.scope, row.metric)
        of_volume = row.scope not in SIGNED
        value = row.value if row.value is not None and isfinite(row.value) else None
        then, then_interval = _served(row, served, known) if of_volume else (None, None)
        worse = 1 if row.direction == "max" else -1
        worsening = None if value is None or then is None else worse * (value - then)
        return ReportFigure(
            scope=row.scope,
            subject=row.subject,
            metric=row.metric,
            title=title,
            unit=unit,
            value=value,
            interval=_of(own, row.metric) if row.scope == "volume" else None,
            limit=row.limit,
            direction=row.direction,
            kept=row.keeps_limit,
            served=then,
            served_interval=then_interval,
            worsening=worsening,
            worsening_interval=_difference(row, worse, worsening, own, served),
        )

    def _named(self, scope: str, metric: str) -> tuple[str, str]:
        if metric == FIGURES["vi"].name:
            return FIGURES["vi"].title, FIGURES["vi"].unit
        found = self._known.get((scope, metric)) or self._known.get(("everywhere", metric))
        return (metric, "") if found is None else (found.title, found.unit)

    def _trend(self, metric: str, entries: Sequence[HistoryEntry]) -> Trend:
        title, unit = self._named("volume", metric)
        points = (_point(each, metric) for each in entries)
        return Trend(metric=metric, title=title, unit=unit, points=tuple(point for point in points if point))


def _served(
    row: MetricRow, served: Measured | None, known: Mapping[str, float]
) -> tuple[float | None, Interval | None]:
    if served is not None and row.scope == "volume":
        if hasattr(served.score, row.metric):
            return float(getattr(served.score, row.metric)), _of(served, row.metric)
        optional = {figure.name: value for figure, value in served.figures.items()}
        if not isinstance(value := optional.get(row.metric, ""), str):
            return value, None
    return known.get(row.metric), None


def _of(measured: Measured | None, metric: str) -> Interval | None:
    found = None if measured is None else measured.intervals.get(metric)
    return None if found is None else Interval(low=found[0], high=found[1])


def _difference(
    row: MetricRow, worse: int, worsening: float | None, own: Measured | None, served: Measured | None
) -> Interval | None:
    if own is None or served is None or worsening is None or row.scope != "volume" or row.metric not in own.moves:
        return None
    found = interval(worse * (own.moves[row.metric] - served.moves[row.metric]), worsening)
    return None if found is None else Interval(low=found[0], high=found[1])


def _measurement(entry: HistoryEntry, metric: str) -> Measurement | None:
    return next((each for each in entry.measurements if each.metric == metric), None)


def _point(entry: HistoryEntry, metric: str) -> TrendPoint | None:
    one, judged = _measurement(entry, metric), entry.judged
    if one is None or one.value is None:
        return None
    return TrendPoint(
        time=judged.time, run=judged.run, passed=judged.verdict_passed, value=one.value, interval=_interval(one)
    )


def _interval(one: Measurement) -> Interval | None:
    return None if one.low is None or one.high is None else Interval(low=one.low, high=one.high)
