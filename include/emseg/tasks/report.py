"""The report about a judged run: everything is gathered into one `QualityReport`, and page and JSON are made of it.

In the run folder: `report.html`, `quality.json`, `pictures/`. A picture or a figure that cannot be had is named on the
page, with the reason; the verdict does not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from emseg.array_types import Floats, Ids
from emseg.evaluate import BodyChange, TruthNames, broken_and_merged, per_segment
from emseg.geometry import Box
from emseg.phases.evaluate.work import Evaluation
from emseg.phases.labelmaps import groundtruth, segmentation
from emseg.phases.resolve.artefacts import COUNTS, parts_of_result
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import quarantined_cells
from emseg.phases.services import DvidServices
from emseg.quality import (
    Comparison,
    Findings,
    HistoryEntry,
    LargeBody,
    Measured,
    QualityReport,
    Verdict,
    picture_slices,
    read_history,
    report_page,
    sizes_picture,
    slices_picture,
)
from emseg.quality.report.document import ChangedBody, Joins, ParkedJoin, ReportBody, ReportSubvolume, Waiting
from emseg.quality.report.figures import ReportFigures
from emseg.quality.report.maps import subvolume_maps
from emseg.quality.report.place_picture import as_jpeg
from emseg.store import sums
from emseg.tasks.report_gaps import Gaps
from emseg.tasks.report_images import images_of
from emseg.tasks.report_joins import joins_of, parked_joins
from emseg.tasks.report_places import places_of
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import link_to, run_links

SUBVOLUMES_SHOWN = 8
BODIES_SHOWN = 10
_CHANGES: tuple[Literal["broke", "merged"], ...] = ("broke", "merged")


@dataclass(frozen=True)
class JudgedRun:
    """A run with its verdict, and all that was measured for it. `served`: the release that it was compared with.

    `evaluation` and `own` are None where there is no ground truth.
    """

    run: RunContext[DvidServices]
    verdict: Verdict
    evaluation: Evaluation | None
    own: Measured | None
    served: Measured | None
    compared: Sequence[Comparison]
    findings: Findings
    entry: HistoryEntry


def keep_report(judged: JudgedRun, folder: RunFolder) -> QualityReport:
    """Write page, JSON and pictures of a run."""
    gaps = Gaps()
    plots = _plots(judged, gaps)
    places, pictures = places_of(judged.run, judged.findings, gaps)
    report = _report(judged, gaps).model_copy(update={"places": places, "missing": tuple(gaps.told)})
    for caption, png in plots.items():
        folder.write_file(f"pictures/{caption.lower().replace(' ', '-')}.png", png, "image/png")
    for path, jpeg in pictures.items():
        folder.write_file(path, jpeg, "image/jpeg")
    shown = {caption: as_jpeg(png) for caption, png in plots.items()}
    folder.write_file("report.html", report_page(report, shown, pictures), "text/html")
    folder.write("quality", report)
    return report


def _report(judged: JudgedRun, gaps: Gaps) -> QualityReport:
    run, verdict, own, served = judged.run, judged.verdict, judged.own, judged.served
    joins = sums(parts_of_result(run), COUNTS)
    segmented = run.folder("segment").manifest()
    quarantined = quarantined_cells(run, segmented)
    pinned = run.spec.served
    history: tuple[HistoryEntry, ...] = gaps.attempt("The trend", lambda: _alike(judged), (judged.entry,))
    figures = ReportFigures(judged.compared)
    parked: tuple[ParkedJoin, ...] = gaps.attempt("The parked joins", lambda: parked_joins(run), ())
    return QualityReport(
        dataset=verdict.dataset,
        run=verdict.run,
        fingerprint=verdict.fingerprint,
        time=judged.entry.judged.time,
        passed=verdict.passed,
        reasons=verdict.reasons,
        notes=verdict.notes,
        unassigned=verdict.unassigned,
        has_groundtruth=verdict.has_groundtruth,
        components=judged.findings.components,
        left_out_voxels=0 if judged.evaluation is None else judged.evaluation.left_out,
        served_release=None if pinned is None or pinned.root != run.spec.volume.root else pinned.number,
        subvolumes=int(verdict.figures.get("subvolumes", 0)),
        subvolumes_missing_limit=int(verdict.figures.get("subvolumes_failed", 0)),
        figures=figures.figures(verdict.rows, own, served, _of_served(run, history), verdict.figures),
        trends=figures.trends(history),
        joins=gaps.attempt("Precision and recall of joins", lambda: _joins(judged, quarantined), None),
        stitching=joins,
        waiting=Waiting(publication=run.spec.publication, parked=joins["parked"], parked_shown=parked),
        images=images_of(segmented, run.given_up.get("segment", {})),
        links=run_links(run),
        largest=tuple(_large(run, each) for each in judged.findings.largest),
        **_where(judged),
    )


def _alike(judged: JudgedRun) -> tuple[HistoryEntry, ...]:
    """What the history has on the same ground truth and region, before this run, and then this run."""
    own = judged.entry.judged
    known = read_history(judged.run.open_services().store, own.dataset).entries
    alike = [each for each in known if each.judged.is_comparable(own.groundtruth, own.region)]
    earlier = [each for each in alike if (each.judged.run, each.judged.fingerprint) != (own.run, own.fingerprint)]
    return (*(each for each in earlier if each.judged.time <= own.time), judged.entry)


def _of_served(run: RunContext[DvidServices], history: Sequence[HistoryEntry]) -> dict[str, float]:
    """Figures of the served release that were measured alike, as the history and its record tell."""
    served = run.spec.served
    if served is None:
        return {}
    known = [each for each in history if each.judged.fingerprint == served.fingerprint][-1:]
    found = {one.metric: one.value for each in known for one in each.measurements if one.value is not None}
    return found | (served.figures if served.region == run.spec.volume.region else {})


def _joins(judged: JudgedRun, quarantined: Sequence[int]) -> Joins | None:
    evaluation = judged.evaluation
    return None if evaluation is None else joins_of(judged.run, _bodies(evaluation), quarantined)


def _bodies(evaluation: Evaluation) -> Ids:
    """Bodies that count. Joins are judged by bodies: one between two components of a body is right."""
    return np.unique(evaluation.names.bodies(evaluation.whole.groundtruth))


def _large(run: RunContext[DvidServices], body: LargeBody) -> ReportBody:
    z, y, x = (0, 0, 0) if body.view is None else (int(at) for at in body.view.position_vox)
    return ReportBody(
        body=body.body,
        voxels=body.voxels,
        share=body.share,
        position_vox=None if body.view is None else (z, y, x),
        link="" if body.view is None else link_to(run, body.view),
    )


def _where(judged: JudgedRun) -> dict[str, Any]:
    """Maps, the worst subvolumes, and the bodies that changed most."""
    if judged.own is None:
        return {}
    own, served, rule = judged.own.parts, judged.served, judged.verdict.unassigned
    error = own.vi(rule)
    change = None if served is None else error - served.parts.vi(rule)
    kinds = () if served is None else broken_and_merged(served.parts.whole, own.whole, BODIES_SHOWN, rule)
    return {
        "maps": subvolume_maps(error, change, own.items, judged.run.grid),
        "worst_subvolumes": _subvolumes(judged.run, own.items, error, change, error),
        "changed_subvolumes": ()
        if change is None
        else _subvolumes(judged.run, own.items, error, change, np.abs(change)),
        "changed_bodies": tuple(
            _changed(kind, each, judged.own.names)
            for kind, found in zip(_CHANGES, kinds, strict=False)
            for each in found
        ),
    }


def _subvolumes(
    run: RunContext[DvidServices], items: Sequence[str], error: Floats, change: Floats | None, largest: Floats
) -> tuple[ReportSubvolume, ...]:
    """Those with most of `largest`, if it is above 0."""
    first = [i for i in np.argsort(-largest, kind="stable")[:SUBVOLUMES_SHOWN] if largest[i] > 0]
    cores = {i: run.grid.subvolume_named(items[i]).core for i in first}
    return tuple(
        ReportSubvolume(
            name=items[i],
            start_vox=tuple(core.start),
            stop_vox=tuple(core.stop),
            error=float(error[i]),
            change=None if change is None else float(change[i]),
        )
        for i, core in cores.items()
    )


def _changed(kind: Literal["broke", "merged"], change: BodyChange, names: TruthNames) -> ChangedBody:
    before, now = change.fragments
    return ChangedBody(
        kind=kind,
        body=names.body(change.body),
        bits=change.bits,
        fragments_before=before,
        fragments_now=now,
        segment=change.segment,
        component_vox=names.first_vox(change.body),
    )


def _plots(judged: JudgedRun, gaps: Gaps) -> dict[str, bytes]:
    """Pictures of the whole, PNG by caption."""
    makers = {"Slices": lambda: _slices(judged.run)}
    if judged.evaluation is not None:
        bodies = per_segment(judged.evaluation.whole)
        makers["Body sizes"] = lambda: sizes_picture(bodies.voxels[bodies.ids != 0])
    drawn = {caption: gaps.drawn(f"The picture {caption!r}", make)[0] for caption, make in makers.items()}
    return {caption: png for caption, png in drawn.items() if png is not None}


def _slices(run: RunContext[DvidServices]) -> bytes:
    bounds = run.spec.volume.bounds
    slices: list[Box] = picture_slices(bounds if run.roi is None else run.roi.bounds.clipped(bounds))
    readers: list[Any] = [run.open_services().grayscale(run.spec), segmentation(run)]
    readers += [] if run.spec.groundtruth is None else [groundtruth(run)]
    grayscale, labels, *truth = (np.concatenate([reader.read(box) for box in slices]) for reader in readers)
    z = [box.start.z for box in slices]
    return slices_picture(grayscale, labels, truth[0] if truth else None, z, run.spec.dataset)
