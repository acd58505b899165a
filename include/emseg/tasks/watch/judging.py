"""What is served, measured again: judged by the limits of its dataset and beside its figures when it was published.

A release on other ground truth is another measure, so it is not called worse; it may still miss a limit. Limits are
those of the voxels with ground truth, as a whole: all others are about runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from emseg.alerts import Alert, WorstPlace, finite
from emseg.config.evaluation import EvaluationSpec
from emseg.config.gate import GatePolicy, Regression
from emseg.config.runspec import digest_of
from emseg.disk import scratch_folder
from emseg.evaluate import Score
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.publish import ReleaseRecord
from emseg.quality import Comparison, HistoryEntry, Judged, Measurement, MetricRow, Verdict, judge, keep, metric_rows
from emseg.quality.comparison import CHANGES, FIGURES, value_of
from emseg.quality.scores import Scores
from emseg.tasks.alerting import PLACES
from emseg.tasks.evaluation import scored
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.watch.pinning import Watched, pinned_groundtruth_of

log = logging.getLogger(__name__)

_VIEW = "3-D view (neuroglancer)"


def judge_watch(
    run: RunContext[DvidServices],
    folder: RunFolder,
    gate: GatePolicy,
    pages: Mapping[str, str],
    tell: Callable[[Alert], None],
) -> Verdict:
    """Judge the evaluation in `folder`, tell people by `tell`, and only then keep that it was measured.

    A try that is stopped before that tells the same again, and receipts see to it that nothing is sent twice.
    """
    spec, watched = folder.read("evaluation", EvaluationSpec), folder.read("watch", Watched)
    scores = scored(run, spec)
    folder.write("scores", scores)
    verdict = watch_verdict(watched, spec, scores, gate, folder.run)
    tell(watch_alert(watched, spec, scores, verdict, pages))
    keep(folder.store, watch_entry(watched, spec, scores, verdict))
    return verdict


def watch_verdict(watched: Watched, spec: EvaluationSpec, scores: Scores, gate: GatePolicy, run: str) -> Verdict:
    """Rows of the volume beside their limits and, on the same ground truth, beside the release as published."""
    score, release = _score(scores), watched.release
    if watched.is_on_same_groundtruth(spec):
        compared = against_published(score, release, gate.regression)
    else:
        said = f"Figures of release {release.number} as published are of other ground truth: no regression is judged"
        compared = Comparison(notes=(said,))
    with scratch_folder() as docs:
        return judge(
            metric_rows(watched.dataset, score, {}, gate),
            gate,
            docs,
            dataset=watched.dataset,
            run=run,
            fingerprint=watched.fingerprint,
            unassigned=spec.counting.unassigned,
            compared=[compared],
        )


def against_published(score: Score, release: ReleaseRecord, policy: Regression) -> Comparison:
    """How much worse the figures are than those in the record of the release, which are of the same ground truth."""
    published, rows, told, limits = _published(release), [], {}, {}
    for name, limit in dict(policy).items():
        figure, metric = FIGURES[name], CHANGES[name]
        if limit is None or figure.name not in published:
            continue
        now, then = value_of(score, figure), published[figure.name]
        worse, unit = figure.worsening(now, then), f" {figure.unit}".rstrip()
        row = MetricRow("change", f"release {release.number}", metric.name, worse, float(limit), metric.direction)
        rows.append(row)
        limits[metric.limit_name] = float(limit)
        told[metric.name] = (
            f"{figure.title} is {worse:.4g}{unit} worse than when release {release.number} was published "
            f"({now:.6g}, then {then:.6g}); gate.regression allows {limit:.4g}{unit}"
        )
    metrics = tuple(CHANGES[name] for name in CHANGES if CHANGES[name].limit_name in limits)
    return Comparison(metrics, limits, tuple(rows), told)


def watch_alert(
    watched: Watched, spec: EvaluationSpec, scores: Scores, verdict: Verdict, pages: Mapping[str, str]
) -> Alert:
    """What people are told, also where all is well: `regression` if the verdict is no, else `watched`."""
    number, good = watched.release.number, verdict.passed
    return Alert(
        kind="watched" if good else "regression",
        severity="info" if good else "error",
        title=f"Release {number} {_outcome(watched, spec, verdict)}",
        dataset=watched.dataset,
        run=verdict.run,
        cause=watched.identity,
        reasons=(*_changes(watched, spec), *verdict.reasons, *verdict.notes, *watched.notes),
        figures=finite(verdict.figures | {"vi": scores.figures["vi"]}),
        served=_published(watched.release),
        served_number=number,
        places=_places(scores),
        links={**pages, **({_VIEW: scores.link} if scores.link else {})},
    )


def watch_entry(watched: Watched, spec: EvaluationSpec, scores: Scores, verdict: Verdict) -> HistoryEntry:
    """The rows of the history. None of them is compared with figures of runs."""
    judged = Judged(
        dataset=watched.dataset,
        run=verdict.run,
        time=datetime.now(UTC),
        fingerprint=watched.fingerprint,
        served_release=watched.release.number,
        data_version=watched.data_version,
        groundtruth=digest_of(pinned_groundtruth_of(spec).model_dump(mode="json")),
        region=watched.region,
        models="",
        code=spec.code,
        spec=watched.identity,
        verdict_passed=verdict.passed,
    )
    vi = Measurement("vi", scores.figures["vi"], None, None, None, True)
    rows = (Measurement(r.metric, r.value, None, None, r.limit, r.keeps_limit) for r in verdict.rows)
    return HistoryEntry(judged, (vi, *rows))


def _outcome(watched: Watched, spec: EvaluationSpec, verdict: Verdict) -> str:
    if verdict.passed:
        return "was measured again, and is good"
    if any(row.scope == "change" and not row.keeps_limit for row in verdict.rows):
        return "is worse since it was proofread"
    return "misses its limits" + ("" if watched.is_on_same_groundtruth(spec) else " on other ground truth")


def _score(scores: Scores) -> Score:
    found: dict[str, Any] = {each.name: scores.figures[each.name] for each in fields(Score)}
    return Score(**found)


def _published(release: ReleaseRecord) -> dict[str, float]:
    """Figures of the record that are numbers, with VI as one."""
    found = {name: value for name, value in release.figures.items() if isfinite(value)}
    if {"vi_split", "vi_merge"} <= found.keys():
        found["vi"] = found["vi_split"] + found["vi_merge"]
    return found


def _changes(watched: Watched, spec: EvaluationSpec) -> tuple[str, ...]:
    """What has changed since the release was judged, each with its versions."""
    release, then, now = watched.release, watched.groundtruth, pinned_groundtruth_of(spec)
    told = []
    if spec.segmentation.node != release.uuid:
        told.append(f"Proofreading: version {spec.segmentation.node} was measured, which comes after {release.uuid}")
    if then is None:
        told.append(f"Ground truth: {spec.groundtruth}; release {release.number} was judged without")
    elif (then.node, then.instance) != (now.node, now.instance):
        told.append(f"Ground truth: {spec.groundtruth} now, {then.node}:{then.instance} when it was published")
    elif then != now:
        told.append("Ground truth: the dataset file now says otherwise what of it counts")
    return tuple(told)


def _places(scores: Scores) -> tuple[WorstPlace, ...]:
    found = (*scores.findings.cut, *scores.findings.joining)
    costly = sorted(zip(found, scores.places, strict=True), key=lambda each: -each[0].bits)
    return tuple(WorstPlace(**dict(place)) for _, place in costly[:PLACES])
