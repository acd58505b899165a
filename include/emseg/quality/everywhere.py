"""What was counted over all of the volume, beside its limits, the served release and the history: rows for the gate.

Example: ground truth covers 2 % of a volume. Outside of it a join makes one body of two, and the largest body has 31 %
of all voxels where that of release 3 has 12 %. No score sees that. The row `change_largest_body_share` has the value
0.19, its limit is 0.1, and the reasons name the body and where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emseg.config.gate import Everywhere, HistoryPolicy
from emseg.config.runspec import PinnedRelease
from emseg.evaluate import SURVEY_FIGURES, Survey
from emseg.quality.against_history import spread_limit
from emseg.quality.comparison import Comparison
from emseg.quality.findings import LargeBody
from emseg.quality.history import HistoryEntry
from emseg.quality.rows import Metric, MetricRow, Scope

EVERYWHERE: Mapping[str, Metric] = {
    name: Metric("everywhere", name, figure.title, figure.unit, f"everywhere_{name}_max")
    for name, figure in SURVEY_FIGURES.items()
}
"""The figures themselves."""


def _worsening(scope: Scope, words: str) -> Mapping[str, Metric]:
    # The names of limits tell these apart from those of figures that were measured against ground truth.
    return {
        name: Metric(
            scope,
            f"{scope}_{name}",
            words.format(figure.title),
            "" if figure.relative else figure.unit,
            f"{scope}_everywhere_{name}",
        )
        for name, figure in SURVEY_FIGURES.items()
    }


EVERYWHERE_CHANGES = _worsening("change", "Worsening of {}")
"""How much worse a figure is than that of the served release."""
EVERYWHERE_TRENDS = _worsening("trend", "{} above the last runs")
"""How much worse a figure is than the median of the last runs of this region."""

EVERYWHERE_ROWS = (*EVERYWHERE.values(), *EVERYWHERE_CHANGES.values(), *EVERYWHERE_TRENDS.values())
"""All rows that need no ground truth."""


def everywhere(survey: Survey, largest: Sequence[LargeBody], policy: Everywhere, dataset: str) -> Comparison:
    """The figures beside their own limits. One without a limit is told and has no row."""
    limits = policy.limits
    rows = tuple(
        MetricRow("everywhere", dataset, name, survey.figure(name), limit, "max") for name, limit in limits.items()
    )
    return Comparison(
        metrics=tuple(EVERYWHERE[name] for name in limits),
        limits={EVERYWHERE[name].limit_name: limit for name, limit in limits.items()},
        rows=rows,
        where=places(largest),
        figures=survey.figures,
    )


def everywhere_against_release(
    survey: Survey, largest: Sequence[LargeBody], served: PinnedRelease, policy: Everywhere, region: str
) -> Comparison:
    """How much worse the figures are than those of the served release, which its record tells.

    They are compared where that release was made over the same `region` only; what is not compared is told.
    """
    on = f"What was counted over all of the volume was not compared with release {served.number}"
    if served.region != region:
        return Comparison(notes=(f"{on}: it was made over another region",))
    unknown = sorted(set(SURVEY_FIGURES) - served.figures.keys())
    if len(unknown) == len(SURVEY_FIGURES):
        return Comparison(notes=(f"{on}: its record has none of these figures",))
    known = {name: value for name, value in served.figures.items() if name in SURVEY_FIGURES}
    allowed = {name: limit for name, limit in dict(policy.regression).items() if limit is not None and name in known}
    compared = _compared(survey, known, allowed, EVERYWHERE_CHANGES, f"release {served.number}")
    lacking = (f"{on} in: {', '.join(unknown)}: its record has none",) if unknown else ()
    return Comparison(*compared, where=places(largest), notes=lacking)


def everywhere_against_history(
    survey: Survey,
    largest: Sequence[LargeBody],
    comparable: Sequence[HistoryEntry],
    policy: Everywhere,
    last: HistoryPolicy,
) -> Comparison:
    """How much worse the figures are than the median of the last of `comparable`, oldest first, of the same region."""
    on = "What was counted over all of the volume was not compared with the history"
    if last.mads is None:
        return Comparison(notes=(f"{on}: gate.history.mads is null",))
    limits, medians = {}, {}
    for name, allowed in dict(policy.regression).items():
        known = [value for each in comparable if (value := each.value(name)) is not None][-last.last :]
        if allowed is None or len(known) < last.last:
            continue
        figure, medians[name] = SURVEY_FIGURES[name], float(np.median(known))
        off = [figure.worsening(value, medians[name]) for value in known]
        limits[name] = spread_limit(float(allowed), last.mads, off)
    if not limits:
        return Comparison(notes=(f"{on} yet: gate.history.last asks for {last.last} results of this region",))
    of = f"the median of the last {last.last} results"
    compared = _compared(survey, medians, limits, EVERYWHERE_TRENDS, of)
    return Comparison(*compared, where=places(largest))


def places(largest: Sequence[LargeBody]) -> tuple[str, ...]:
    """The largest bodies in words, with where they are."""
    return tuple(each.sentence() for each in largest)


def _compared(
    survey: Survey, others: Mapping[str, float], allowed: Mapping[str, float], metrics: Mapping[str, Metric], of: str
) -> tuple[tuple[Metric, ...], dict[str, float], tuple[MetricRow, ...], dict[str, str]]:
    """Metrics, limits, rows and sentences of a comparison with the figures `others` of `of`."""
    rows, told = [], {}
    for name, limit in allowed.items():
        figure, metric, own = SURVEY_FIGURES[name], metrics[name], survey.figure(name)
        worse = figure.worsening(own, others[name])
        rows.append(MetricRow(metric.scope, of, metric.name, worse, float(limit), metric.direction))
        told[metric.name] = (
            f"{figure.title} is {_amount(worse, figure.relative)} above {of} ({own:.6g} {figure.unit}".rstrip()
            + f", there {others[name]:.6g}); the gate allows {_amount(limit, figure.relative)}"
        )
    limits = {metrics[name].limit_name: float(limit) for name, limit in allowed.items()}
    return tuple(metrics[name] for name in allowed), limits, tuple(rows), told


def _amount(value: float, is_growth: bool) -> str:
    return f"{100 * value:.4g} %" if is_growth else f"{value:.4g}"
