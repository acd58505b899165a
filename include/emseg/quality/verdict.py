"""The verdict of the gate: whether a result may be published, and in words why not.

Decided by the Great Expectations suite and, independently, by comparing every row with its own limit; the two must
agree on every single row. Only small results leave this room: the volume's numbers and the worst subvolumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from pydantic import Field, model_validator

from emseg.config.base import Record
from emseg.config.gate import GatePolicy
from emseg.config.groundtruth import Unassigned
from emseg.errors import IntegrityError
from emseg.quality.comparison import Comparison, ShownFigure
from emseg.quality.rows import METRICS, Metric, MetricRow, Scope, required
from emseg.quality.suite import SuiteResult, run_suite

WORST_KEPT = 10
"""Failing subvolumes that a verdict names, so that it stays a few kilobytes; the Data Docs list more."""


COUNTED = ("subvolumes", "subvolumes_failed", "worst_subvolume_vi")
"""Names in `Verdict.figures` of what is about subvolumes."""


class Verdict(Record, allow_inf_nan=True):  # a figure that was not measured is told as it came
    """Bound to the fingerprint (key of phase `write`) that was measured: no other result may be published with it."""

    passed: bool
    fingerprint: str
    dataset: str
    run: str
    unassigned: Unassigned = Field(default=Unassigned.SEGMENT, description="What unassigned voxels count as")
    has_groundtruth: bool = Field(default=True, description="False: judged by what needs no ground truth alone")
    reasons: tuple[str, ...] = Field(description="Why it failed, a sentence each; empty when passed")
    figures: dict[str, float] = Field(description="Volume metrics, number of subvolumes and of failing ones")
    rows: tuple[MetricRow, ...] = Field(description="Volume rows, those of comparisons, the worst failing subvolumes")
    notes: tuple[str, ...] = Field(default=(), description="What was compared with what, and what could not be")
    shown: tuple[ShownFigure, ...] = Field(default=(), description="Figures that a dataset need not have")
    replaces: str | None = Field(
        default=None, description="Fingerprint of the release that it may replace, empty for none; null: of any"
    )

    @model_validator(mode="after")
    def _passed_means_nothing_failed(self) -> Verdict:
        if self.passed != (not self.reasons) or (self.passed and not all(row.keeps_limit for row in self.rows)):
            raise ValueError("a verdict passes exactly when it has no reasons against it and no failing row")
        return self


def judge(
    rows: Sequence[MetricRow],
    policy: GatePolicy,
    docs: Path,
    *,
    dataset: str,
    run: str,
    fingerprint: str,
    unassigned: Unassigned = Unassigned.SEGMENT,
    compared: Sequence[Comparison] = (),
    replaces: str | None = None,
    has_groundtruth: bool = True,
) -> Verdict:
    """Judge the rows, and those of all comparisons, and write Data Docs into folder `docs`.

    Fails when a row misses its limit or has no value, is given twice or is unknown, when a metric of the volume or of a
    comparison has no row, or when there are no rows. A result that `has_groundtruth` not is judged by the rows of
    comparisons alone. IntegrityError when the suite and the plain comparison disagree.
    """
    rows = [*rows, *(row for each in compared for row in each.rows)]
    known = {(metric.scope, metric.name): metric for metric in METRICS if has_groundtruth}
    known |= {(metric.scope, metric.name): metric for each in compared for metric in each.metrics}
    limits = policy.limits if has_groundtruth else {}
    limits |= {name: limit for each in compared for name, limit in each.limits.items()}
    result = run_suite(rows, list(known.values()), limits, docs, run)
    failed = _failed_rows(rows, known)
    missing = _missing(rows, known)
    passed = not failed and not missing
    _check_agreement(result, passed, failed, run)
    failing = _worst_first([rows[i] for i in failed if rows[i].scope == "subvolume"])
    told = {metric: sentence for each in compared for metric, sentence in each.told.items()}
    why_none = {metric: reason for each in compared for metric, reason in each.why_none.items()}
    return Verdict(
        passed=passed,
        fingerprint=fingerprint,
        dataset=dataset,
        run=run,
        unassigned=unassigned,
        has_groundtruth=has_groundtruth,
        reasons=(
            *(f"{metric.title} of the volume has no row: it was not measured" for metric in missing),
            *(_sentence(rows[i], known, told, why_none) for i in sorted(failed) if rows[i].scope != "subvolume"),
            *(_sentence(row, known, told, why_none) for row in failing[:WORST_KEPT]),
            *_and_more(len(failing) - WORST_KEPT),
            *_places(compared),
        ),
        figures=_figures(rows, len(failing)) | {name: n for each in compared for name, n in each.figures.items()},
        rows=(*(row for row in rows if row.scope != "subvolume"), *failing[:WORST_KEPT]),
        notes=tuple(note for each in compared for note in each.notes),
        shown=tuple(figure for each in compared for figure in each.shown),
        replaces=replaces,
    )


_Known = Mapping[tuple[Scope, str], Metric]


def _missing(rows: Sequence[MetricRow], known: _Known) -> list[Metric]:
    there, names = {(row.scope, row.metric) for row in rows}, set(required(list(known.values())))
    return [metric for place, metric in known.items() if metric.name in names and place not in there]


def _failed_rows(rows: Sequence[MetricRow], known: _Known) -> frozenset[int]:
    times = Counter((row.scope, row.subject, row.metric) for row in rows)
    return frozenset(
        i
        for i, row in enumerate(rows)
        if not row.keeps_limit or (row.scope, row.metric) not in known or times[row.scope, row.subject, row.metric] > 1
    )


def _check_agreement(result: SuiteResult, passed: bool, failed: frozenset[int], run: str) -> None:
    if result.passed != passed or result.failed_rows != failed:
        differing = sorted(result.failed_rows ^ failed)[:WORST_KEPT]
        raise IntegrityError(
            "judging the metrics",
            f"run {run}, rows {differing}",
            f"the suite says {'pass' if result.passed else 'fail'}, plain comparison {'pass' if passed else 'fail'}, "
            "or they differ about rows",
            "Nothing is published; check the limits of the rows against the gate policy of the dataset file",
        )


def _worst_first(rows: Sequence[MetricRow]) -> list[MetricRow]:
    return sorted(rows, key=lambda row: (row.value is not None, -(row.value or 0.0), row.subject))


def _sentence(row: MetricRow, known: _Known, told: Mapping[str, str], why_none: Mapping[str, str]) -> str:
    metric = known.get((row.scope, row.metric))
    of = "the volume" if row.scope in ("volume", "everywhere") else row.subject
    if metric is None:
        return f"{row.metric} of {of} is no metric of the gate"
    named = metric.title if row.scope == "everywhere" else f"{metric.title} of {of}"  # its title says of what it is
    if row.keeps_limit:
        return f"{named} is given more than once"
    measured = row.value is not None and isfinite(row.value)
    if measured and row.metric in told:
        return told[row.metric]
    reason = f" ({why_none[row.metric]})" if row.metric in why_none else ""
    found = f"is {_amount(row.value, metric.unit)}" if measured else f"was not measured{reason}"
    bound = "at most" if row.direction == "max" else "at least"
    return f"{named} {found}; the gate asks for {bound} {_amount(row.limit, metric.unit)}"


def _amount(value: float | None, unit: str) -> str:
    """Six digits, so that a missed limit hardly ever reads like a kept one."""
    return f"{value:.6g} {unit}".rstrip()


def _and_more(count: int) -> tuple[str, ...]:
    return (f"{count} more subvolumes miss their limit",) if count > 0 else ()


def _places(compared: Sequence[Comparison]) -> tuple[str, ...]:
    """Places of the comparisons of which a row fails, each place once."""
    failing = (each for each in compared if not all(row.keeps_limit for row in each.rows))
    return tuple(dict.fromkeys(place for each in failing for place in each.where))


def _figures(rows: Sequence[MetricRow], failing: int) -> dict[str, float]:
    figures = {row.metric: row.value for row in rows if row.scope == "volume" and row.value is not None}
    parts = [row.value for row in rows if row.scope == "subvolume"]
    if not parts and not any(row.scope == "volume" for row in rows):  # there is no ground truth
        return {}
    measured = [value for value in parts if value is not None]
    counted = (float(len(parts)), float(failing), *([max(measured)] if measured else []))
    return figures | dict(zip(COUNTED, counted, strict=False))
