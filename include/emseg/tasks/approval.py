"""Asking a person about a result that the gate passed, and keeping what he decided."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from emseg.config.approval import MAX_WHY, Approval
from emseg.errors import PermanentError
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.publish import served_release
from emseg.publish.approval import require_allowed
from emseg.quality import Verdict
from emseg.quality.everywhere import EVERYWHERE
from emseg.quality.rows import VOLUME_METRICS, Metric, MetricRow
from emseg.store import ObjectMissingError
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import run_links

_COLUMNS = "| figure | this result | limit |\n|---|---:|---:|"


def decide(run: RunContext[DvidServices], decision: Literal["approved", "rejected"], by: str, why: str) -> Approval:
    """Keep a decision about the run's result in its folder, in place of an earlier one, and return it.

    PermanentError where the gate has not passed this result, or no approval makes it publishable. Who may decide is
    checked by whoever calls.
    """
    folder = RunFolder(run.open_services().store, run.spec.dataset, run.spec.run)
    _require_passed(folder, run.keys["write"])
    when = datetime.now(UTC).isoformat(timespec="seconds")
    made = Approval(decision=decision, fingerprint=run.keys["write"], by=by, why=why[:MAX_WHY], when=when)
    if decision == "approved":
        require_allowed(run.spec.publication, made, made.fingerprint, f"dataset {folder.dataset}, run {folder.run}")
    folder.write("approval", made)
    return made


def evidence(run: RunContext[DvidServices], report: str) -> str:
    """Markdown for whoever decides: figures with limits, how they compare, where to look; `report` is its address."""
    services, spec = run.open_services(), run.spec
    folder = RunFolder(services.store, spec.dataset, spec.run)
    verdict, served = folder.read("verdict", Verdict), served_release(services.store, spec.dataset)
    metrics = (*VOLUME_METRICS, *EVERYWHERE.values())
    volume = [(metric, row) for metric in metrics for row in verdict.rows if _is_of(row, metric)]
    rows = [
        f"| {metric.title}{metric.unit and f', {metric.unit}'} | {_figure(row.value)} | {_figure(row.limit)} |"
        for metric, row in volume
    ]
    rows += [
        f"| {each.title}{each.unit and f', {each.unit}'} | {_figure(each.value)} | {_figure(each.limit)} |"
        for each in verdict.shown
        if each.limit is not None
    ]
    said = f"Release {served.number} is served now." if served else "Nothing is served yet."
    notes = [f"- {note}" for note in verdict.notes]
    links = {"Report": report, **run_links(run)}
    looks = [f"- [{title}]({address})" for title, address in links.items()]
    return "\n".join([f"The gate passes this result. {said}", "", *notes, "", _COLUMNS, *rows, "", *looks])


def _is_of(row: MetricRow, metric: Metric) -> bool:
    return (row.scope, row.metric) == (metric.scope, metric.name)


def _require_passed(folder: RunFolder, fingerprint: str) -> None:
    try:
        verdict = folder.read("verdict", Verdict)
        found = f"the gate refused it: {'; '.join(verdict.reasons)}"
        if verdict.passed and verdict.fingerprint == fingerprint:
            return
        if verdict.passed:
            found = f"its verdict is about another result, {verdict.fingerprint}"
    except ObjectMissingError:
        found = "the gate has not judged it"
    raise PermanentError(
        "deciding about a result", f"dataset {folder.dataset}, run {folder.run}", found, "Let the gate pass it first"
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
