"""A judged run as the history keeps it, and what of the history it is compared with."""

from __future__ import annotations

from datetime import UTC, datetime

from emseg.config import RunSpec
from emseg.config.runspec import digest_of
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import (
    Comparison,
    HistoryEntry,
    Judged,
    Measured,
    Measurement,
    Verdict,
    against_history,
    comparable,
    read_history,
)


def groundtruth_identity(spec: RunSpec) -> str:
    """Digest of node, instance, rule for unassigned voxels and boxes left out: equal for the same measure."""
    return digest_of(spec.groundtruth.model_dump(mode="json"))


def with_history(run: RunContext[DvidServices], own: Measured) -> Comparison:
    """The run beside the last ones that were measured alike. What is damaged or too little is told."""
    spec = run.spec
    if spec.gate.history.mads is None:
        return against_history(own.score, (), spec.gate)
    history = read_history(run.open_services().store, spec.dataset)
    alike = comparable(history.entries, groundtruth_identity(spec), spec.volume.region, run.keys["write"])
    lost = (f"Left out of the history, because it is damaged: {address}" for address in history.damaged)
    return against_history(own.score, alike, spec.gate).with_notes(*lost)


def entry_of(run: RunContext[DvidServices], own: Measured, verdict: Verdict) -> HistoryEntry:
    """The rows of a run that was judged now: each volume metric and comparison, and VI as one number."""
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
        spec=digest_of(spec.model_dump(mode="json", exclude={"run"})),
        verdict_passed=verdict.passed,
    )
    rows = [row for row in verdict.rows if row.scope != "subvolume"]
    intervals = own.intervals

    def measurement(metric: str, value: float | None, limit: float | None, passed: bool) -> Measurement:
        low, high = intervals.get(metric, (None, None))
        return Measurement(metric, value, low, high, limit, passed)

    vi = measurement("vi", own.score.vi, None, True)
    return HistoryEntry(judged, (vi, *(measurement(r.metric, r.value, r.limit, r.keeps_limit) for r in rows)))
