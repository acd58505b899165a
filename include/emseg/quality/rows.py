"""Metric rows: each measured number beside the limit it must keep, for the whole volume and for every subvolume.

Scores come from `emseg.evaluate`, limits from the dataset's gate policy; the verdict is made of these rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from emseg.config.gate import GatePolicy
from emseg.evaluate import Score, gated_metrics

Scope = Literal["volume", "everywhere", "subvolume", "change", "trend"]
Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Metric:
    """A number the gate looks at: `name` is a field of `Score`, `limit_name` one of the policy (ends in direction).

    Scope `everywhere`: it was counted over all of the volume, without ground truth.
    """

    scope: Scope
    name: str
    title: str
    unit: str
    limit_name: str

    @property
    def direction(self) -> Direction:
        """Whether the limit is the most or the least that is allowed."""
        return "min" if self.limit_name.endswith("_min") else "max"


VOLUME_METRICS = tuple(
    Metric("volume", name, gated.title, gated.unit, gated.limit_name) for name, gated in gated_metrics().items()
)
SUBVOLUME_METRIC = Metric("subvolume", "vi", "VI split + merge", "bits", "subvolume_vi_max")
METRICS = (*VOLUME_METRICS, SUBVOLUME_METRIC)
"""All are 0 or more; no number of a score is defined below."""
SIGNED: frozenset[Scope] = frozenset({"change", "trend"})
"""Scopes of rows that tell how much worse a figure is than another: a better one is below 0."""


def required(metrics: Sequence[Metric]) -> list[str]:
    """Names of those that must have a row: all but that of subvolumes, of which some have no ground truth."""
    return [metric.name for metric in metrics if metric.scope != "subvolume"]


@dataclass(frozen=True)
class MetricRow:
    """One number and its limit; `value` is None where it could not be measured or is not a finite number."""

    scope: Scope
    subject: str
    metric: str
    value: float | None
    limit: float
    direction: Direction

    @property
    def keeps_limit(self) -> bool:
        """Whether the value was measured, can be one, and lies on the right side of the limit or on it."""
        if self.value is None or not isfinite(self.value) or (self.value < 0 and self.scope not in SIGNED):
            return False
        return self.value <= self.limit if self.direction == "max" else self.value >= self.limit


def metric_rows(
    dataset: str, score: Score | None, subvolume_scores: Mapping[str, Score], policy: GatePolicy
) -> tuple[MetricRow, ...]:
    """A row for every volume metric, then one a subvolume in name order.

    No score (no ground truth, or none inside the ROI) gives volume rows without a value, which never keep their limit.
    A subvolume without ground truth has no score and so no row.
    """
    whole = (_row(metric, dataset, score, policy) for metric in VOLUME_METRICS)
    parts = (_row(SUBVOLUME_METRIC, name, subvolume_scores[name], policy) for name in sorted(subvolume_scores))
    return (*whole, *parts)


def _row(metric: Metric, subject: str, score: Score | None, policy: GatePolicy) -> MetricRow:
    value = None if score is None else float(getattr(score, metric.name))
    if value is not None and not isfinite(value):
        value = None
    limit = float(getattr(policy, metric.limit_name))
    return MetricRow(metric.scope, subject, metric.name, value, limit, metric.direction)
