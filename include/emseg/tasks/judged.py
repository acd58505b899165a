"""A judged run as the history keeps it, and what of the history it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from emseg.config import RunSpec
from emseg.config.groundtruth import NO_GROUNDTRUTH
from emseg.config.runspec import PinnedMetric, digest_of
from emseg.evaluate import SURVEY_FIGURES, Survey
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import (
    Comparison,
    History,
    HistoryEntry,
    Judged,
    LargeBody,
    Measured,
    Measurement,
    Verdict,
    against_history,
    comparable,
    everywhere_against_history,
    optional_against_history,
    read_history,
)


def groundtruth_identity(spec: RunSpec) -> str:
    """Digest of node, instance, what counts, synapses and skeletons: equal for the same measure.

    `none` where there is no ground truth. What a dataset does not name is not in it, so its history goes on when there
    is more that it could name.
    """
    truth = spec.groundtruth
    return NO_GROUNDTRUTH if truth is None else digest_of(truth.model_dump(mode="json", exclude_none=True))


def with_history(run: RunContext[DvidServices], own: Measured, history: History) -> list[Comparison]:
    """The run beside the last ones that were measured alike. What is too little is told."""
    earlier, gate = _earlier(run, history, groundtruth_identity(run.spec)), run.spec.gate
    of_metric = {figure.name: metric for metric in run.spec.metrics for figure in metric.figures}
    compared = [against_history(own.score, earlier, gate)]
    for metric in (None, *run.spec.metrics):
        figures = {each: value for each, value in own.figures.items() if of_metric.get(each.name) == metric}
        alike = [each for each in earlier if metric is None or each.value(_version_row(metric)) == metric.version]
        compared.append(optional_against_history(figures, alike, gate))
    return compared


def everywhere_with_history(
    run: RunContext[DvidServices], survey: Survey, largest: Sequence[LargeBody], history: History
) -> Comparison:
    """What was counted over all of the volume, beside the last runs of this region."""
    gate = run.spec.gate
    return everywhere_against_history(survey, largest, _earlier(run, history, None), gate.everywhere, gate.history)


def history_of(run: RunContext[DvidServices]) -> History:
    """The history that a run is compared with; empty where it is compared with none."""
    spec = run.spec
    return History(()) if spec.gate.history.mads is None else read_history(run.open_services().store, spec.dataset)


def _version_row(metric: PinnedMetric) -> str:
    """Name of the row of the history that tells by which version of a metric its figures were measured."""
    return f"version_{metric.name}"


def _earlier(run: RunContext[DvidServices], history: History, groundtruth: str | None) -> tuple[HistoryEntry, ...]:
    return comparable(history.entries, groundtruth, run.spec.volume.region, run.keys["write"])


def entry_of(run: RunContext[DvidServices], own: Measured | None, verdict: Verdict) -> HistoryEntry:
    """The rows of a run that was judged now: each figure and comparison; with ground truth VI as one number, too."""
    spec = run.spec
    judged = Judged(
        dataset=spec.dataset,
        run=spec.run,
        time=datetime.now(UTC),
        fingerprint=run.keys["write"],
        served_release=None if spec.served is None else spec.served.number,
        data_version=spec.volume.node,
        groundtruth=groundtruth_identity(spec),
        region=spec.volume.region,
        models=",".join(sorted({step.model for step in spec.segmentation.steps if step.model is not None})),
        code=digest_of(dict(spec.code)),
        spec=digest_of(spec.model_dump(mode="json", exclude={"run", "spark"})),
        verdict_passed=verdict.passed,
    )
    rows = [row for row in verdict.rows if row.scope != "subvolume"]
    intervals = {} if own is None else own.intervals

    def measurement(metric: str, value: float | None, limit: float | None, passed: bool) -> Measurement:
        low, high = intervals.get(metric, (None, None))
        return Measurement(metric, value, low, high, limit, passed)

    told = {} if own is None else {"vi": own.score.vi}
    told |= {name: verdict.figures[name] for name in SURVEY_FIGURES}
    shown = {figure.name: figure.value for figure in verdict.shown}
    with_row = {row.metric for row in rows}
    first, last = (
        [measurement(name, value, None, True) for name, value in each.items() if name not in with_row]
        for each in (told, shown)
    )
    versions = (measurement(_version_row(metric), metric.version, None, True) for metric in spec.metrics)
    judged_rows = (measurement(row.metric, row.value, row.limit, row.keeps_limit) for row in rows)
    return HistoryEntry(judged, (*first, *judged_rows, *last, *versions))
