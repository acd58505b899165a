"""Alerts about a result, from what the run left: a refusal by the gate, a question, a publication.

Figures stand beside those of the served release only where both were measured on the same ground truth and region.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emseg.alerts import Alert, WorstPlace, finite
from emseg.config import RunSpec
from emseg.config.alerts import Kind
from emseg.errors import EmsegError
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.publish import ReleaseRecord, served_release
from emseg.quality import Finding, Findings, LargeBody, Verdict
from emseg.quality.everywhere import EVERYWHERE_ROWS
from emseg.store import ObjectStore
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import finding_links, view_link

PLACES = 5
"""Places that an alert names: the report has them all."""

_VIEW = "3-D view (neuroglancer)"


def refusal_kind(verdict: Verdict) -> Kind:
    """`regression` where the result keeps every limit and is only worse than what is served, else `refused`."""
    failing = {row.scope for row in verdict.rows if not row.keeps_limit}
    return "regression" if failing == {"change"} else "refused"


def refusal_alert(run: RunContext[DvidServices], verdict: Verdict, pages: Mapping[str, str]) -> Alert:
    """What people are told about a result that the gate refuses; `pages` are addresses by title."""
    kind = refusal_kind(verdict)
    worse = "is worse than the served release" if kind == "regression" else "misses its limits"
    about = _about(run, verdict, pages)
    title = f"The gate refused a segmentation: it {worse}"
    return Alert(kind=kind, severity="error", title=title, reasons=verdict.reasons, **about)


def waiting_alert(run: RunContext[DvidServices], pages: Mapping[str, str]) -> Alert:
    """What people are told about a result that waits for their decision; `pages` are addresses by title."""
    verdict = RunFolder(run.open_services().store, run.spec.dataset, run.spec.run).read("verdict", Verdict)
    about = _about(run, verdict, pages)
    title = "A result waits for a person to approve or reject it"
    return Alert(kind="waiting", severity="info", title=title, reasons=verdict.notes, **about)


def _about(run: RunContext[DvidServices], verdict: Verdict, pages: Mapping[str, str]) -> dict[str, Any]:
    """Fields of an alert about a judged result: which it is, its figures, where to look."""
    store = run.open_services().store
    findings = RunFolder(store, run.spec.dataset, run.spec.run).read("findings", Findings)
    return {
        "dataset": verdict.dataset,
        "run": verdict.run,
        "cause": verdict.fingerprint,
        "figures": _told(verdict),
        "places": worst_places(run, verdict, findings),
        "links": {**pages, _VIEW: view_link(run)},
        **_beside(store, run.spec),
    }


def publication_alert(kind: Kind, title: str, release: ReleaseRecord, links: Mapping[str, str]) -> Alert:
    """What people are told about a release; `kind` is `published` or `recovered`."""
    return Alert(
        kind=kind,
        severity="info",
        title=title,
        dataset=release.dataset,
        run=release.run,
        cause=release.fingerprint,
        reasons=(
            f"Release {release.number} is node {release.uuid}, instance {release.instance}",
            *(() if release.has_groundtruth else ("It was judged without ground truth",)),
        ),
        figures=release.figures,
        links=dict(links),
    )


def worst_places(run: RunContext[DvidServices], verdict: Verdict, findings: Findings) -> tuple[WorstPlace, ...]:
    """The bodies that cost most, each with a voxel of it and a link that opens there with the bodies selected.

    The largest bodies come first where what was counted over all of the volume is refused.
    """
    links = finding_links(run, findings)
    scored = zip((*findings.cut, *findings.joining), findings.sentences(), strict=True)
    costly = sorted(scored, key=lambda each: -each[0].bits)
    large = [(each, each.sentence()) for each in findings.largest]
    worst: list[tuple[Finding | LargeBody, str]] = [*large, *costly] if is_about_all(verdict) else [*costly, *large]
    return tuple(
        WorstPlace(text=text, position_vox=each.view.position_vox if each.view else None, link=links.get(each))
        for each, text in worst[:PLACES]
    )


def is_about_all(verdict: Verdict) -> bool:
    """Whether a row about all of the volume fails, for which no ground truth is needed."""
    about = {(metric.scope, metric.name) for metric in EVERYWHERE_ROWS}
    return any((row.scope, row.metric) in about for row in verdict.rows if not row.keeps_limit)


def _told(verdict: Verdict) -> dict[str, float]:
    """Figures for a message: without those that a dataset need not have and that nothing is asked of."""
    free = {figure.name for figure in verdict.shown if figure.limit is None}
    return finite({name: value for name, value in verdict.figures.items() if name not in free})


def _beside(store: ObjectStore, spec: RunSpec) -> dict[str, object]:
    """Fields of an alert about the served release: none where its figures are not comparable, or cannot be read."""
    try:
        served = served_release(store, spec.dataset)
        if served is None:
            return {}
        other = RunFolder(store, spec.dataset, served.run).pinned()
        if _measured_on(spec) != _measured_on(other):
            return {}
    except EmsegError:  # the gate has judged already; an alert without a comparison is better than none
        return {}
    unlike = {figure.name for metric in spec.metrics if metric not in other.metrics for figure in metric.figures}
    figures = {name: value for name, value in served.figures.items() if name not in unlike}
    return {"served": figures, "served_number": served.number}


def _measured_on(spec: RunSpec) -> tuple[object, ...]:
    return spec.groundtruth, spec.volume.roi_digest, spec.volume.bounds, spec.volume.voxel_size_nm
