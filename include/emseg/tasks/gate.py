"""Task `gate`: the evaluation and the dataset's policy in; a verdict, Data Docs, a report page and pictures out.

All of it is kept in the run folder: `verdict.json`, `findings.json`, `report.html`, `datadocs/`, `pictures/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.config.dataset import Unassigned
from emseg.disk import scratch_folder
from emseg.engine.items import InProcess
from emseg.evaluate import Survey, per_segment
from emseg.geometry import Box
from emseg.phases import phase_named
from emseg.phases.evaluate.work import Evaluation, read_evaluation
from emseg.phases.labelmaps import groundtruth, measured_on, segmentation
from emseg.phases.resolve import BODIES
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import FINDING
from emseg.phases.services import DvidServices
from emseg.phases.survey.work import read_survey
from emseg.quality import (
    Comparison,
    Findings,
    ImageFinding,
    LargeBody,
    Measured,
    Verdict,
    everywhere,
    judge,
    keep,
    metric_rows,
    picture_slices,
    report_page,
    sizes_picture,
    slices_picture,
    subvolume_picture,
    worst_findings,
)
from emseg.store import ItemMarker
from emseg.tasks.compared import everywhere_with_served, measured, replaces, with_served
from emseg.tasks.damage import all_of_it
from emseg.tasks.jobs import complete
from emseg.tasks.judged import entry_of, everywhere_with_history, history_of, with_history
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import finding_links, run_links
from emseg.tasks.views import LARGEST, large_bodies, view_of_bodies, with_views


def gate_run(run: RunContext[DvidServices]) -> Verdict:
    """Judge a run and keep everything that explains the verdict.

    What was set aside as damaged of the phases that it reads is computed again first, in this process.
    """
    with ExitStack() as damage:
        for other in phase_named("evaluate").also_for(run):
            damage.enter_context(all_of_it(("evaluate",), other, InProcess()))
        damage.enter_context(all_of_it(("resolve", "survey", "evaluate"), run, InProcess()))
        for phase in ("segment", "resolve", "survey", "evaluate"):  # of `segment` it reads the markers alone
            complete(phase, run, InProcess())
        return _judged(run)


def _judged(run: RunContext[DvidServices]) -> Verdict:
    spec = run.spec
    folder = RunFolder(run.open_services().store, spec.dataset, spec.run)
    evaluation = None if spec.groundtruth is None else read_evaluation(run)
    own = None if evaluation is None else measured(run, evaluation)
    counted = read_survey(run)
    largest = large_bodies(run, counted)
    with scratch_folder() as docs:
        verdict = judge(
            () if evaluation is None else metric_rows(spec.dataset, evaluation.score, evaluation.subvolumes, spec.gate),
            spec.gate,
            docs,
            dataset=spec.dataset,
            run=spec.run,
            fingerprint=run.keys["write"],
            unassigned=Unassigned.SEGMENT if spec.groundtruth is None else spec.groundtruth.unassigned,
            compared=_compared(run, own, counted.survey, largest),
            replaces=replaces(spec),
            has_groundtruth=evaluation is not None,
        )
        for page in sorted(docs.iterdir()):
            folder.write_file(f"datadocs/{page.name}", page.read_bytes(), "text/html")
    findings = _findings(run, evaluation).model_copy(update={"largest": largest})
    folder.write("findings", findings)
    pictures = _pictures(run, evaluation)
    for caption, png in pictures.items():
        folder.write_file(f"pictures/{caption.lower().replace(' ', '-')}.png", png, "image/png")
    images = image_findings(run.folder("segment").manifest(), run.given_up.get("segment", {}))
    (joins,) = run.folder("resolve").item_markers([BODIES])
    counts = {name: int(count) for name, count in joins.statistics.items()}
    look, links = finding_links(run, findings), run_links(run)
    left_out = 0 if evaluation is None else evaluation.left_out
    report = report_page(verdict, findings, images, pictures, links, left_out, counts, look)
    folder.write_file("report.html", report, "text/html")
    keep(folder.store, entry_of(run, own, verdict))
    folder.write("verdict", verdict)
    return verdict


def _compared(
    run: RunContext[DvidServices], own: Measured | None, survey: Survey, largest: tuple[LargeBody, ...]
) -> list[Comparison]:
    """All that the run is held to beside the limits of its scores."""
    history = history_of(run)
    lost = (f"Left out of the history, because it is damaged: {address}" for address in history.damaged)
    without = Comparison(notes=("Judged without ground truth, by what was counted over all of the volume alone",))
    return [
        *([without] if own is None else [with_served(run, own), with_history(run, own, history)]),
        everywhere(survey, largest, run.spec.gate.everywhere, run.spec.dataset),
        everywhere_with_served(run, survey, largest),
        everywhere_with_history(run, survey, largest, history).with_notes(*lost),
    ]


def _findings(run: RunContext[DvidServices], evaluation: Evaluation | None) -> Findings:
    if evaluation is None:
        return Findings(view=view_of_bodies(run, tuple(read_survey(run).largest[:LARGEST].tolist())))
    findings = worst_findings(evaluation.whole, unassigned=measured_on(run).unassigned)
    return with_views(run, findings, per_segment(evaluation.whole))


def image_findings(markers: Iterable[ItemMarker], given_up: Mapping[str, str]) -> list[ImageFinding]:
    """The subvolumes that were given up, with the reason of each; then what the image checks found."""
    failed = [ImageFinding(subvolume=item, finding="failed", text=reason) for item, reason in given_up.items()]
    found = [
        ImageFinding(subvolume=marker.item, finding=name.removeprefix(FINDING), text=str(text))
        for marker in markers
        for name, text in marker.statistics.items()
        if name.startswith(FINDING)
    ]
    return sorted(failed, key=lambda each: each.subvolume) + sorted(found, key=lambda e: (e.finding, e.subvolume))


def _pictures(run: RunContext[DvidServices], evaluation: Evaluation | None) -> dict[str, bytes]:
    roi, bounds = run.roi, run.spec.volume.bounds
    slices = picture_slices(bounds if roi is None else roi.bounds.clipped(bounds))
    grayscale, labels = _slices(run.open_services().grayscale(run.spec), slices), _slices(segmentation(run), slices)
    truth = None if evaluation is None else _slices(groundtruth(run), slices)
    pictures = {"Slices": slices_picture(grayscale, labels, truth, [box.start.z for box in slices], run.spec.dataset)}
    if evaluation is None:
        return pictures
    bodies = per_segment(evaluation.whole)
    return pictures | {
        "Errors by subvolume": subvolume_picture(evaluation.subvolumes, run.grid),
        "Body sizes": sizes_picture(bodies.voxels[bodies.ids != 0]),
    }


def _slices(reader: Any, boxes: Sequence[Box]) -> npt.NDArray[Any]:
    return np.concatenate([reader.read(box) for box in boxes])
