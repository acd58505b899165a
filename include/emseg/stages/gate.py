"""Task `gate`: the evaluation and the dataset's policy in; a verdict, Data Docs, a report page and pictures out.

All of it is kept in the run folder: `verdict.json`, `findings.json`, `report.html`, `datadocs/`, `pictures/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np

from emseg.config import RunSpec
from emseg.evaluate import per_body, per_segment
from emseg.geometry import Box
from emseg.quality import (
    ImageFinding,
    Verdict,
    judge,
    metric_rows,
    report_page,
    sizes_picture,
    slices_picture,
    subvolume_picture,
    worst_findings,
)
from emseg.stages.addresses import run_links
from emseg.stages.evaluate import Evaluation
from emseg.stages.keys import stage_keys
from emseg.stages.resolve_bodies import ITEM
from emseg.stages.resolve_bodies import STAGE as RESOLVE
from emseg.stages.run_folder import RunFolder
from emseg.stages.run_stage import completed_evaluation
from emseg.stages.segment import FINDING
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.services import DvidServices, Workplace
from emseg.store import ItemMarker, StageFolder

PICTURE_VOX = 1024
"""Longest side of a slice in a picture: what a page can show, and what one task may read."""


def gate_run(spec: RunSpec, services: DvidServices) -> Verdict:
    """Judge a run and keep everything that explains the verdict."""
    keys, folder = stage_keys(spec), RunFolder(services.store, spec.dataset, spec.run)
    evaluation = completed_evaluation(Workplace(spec, uuid4().hex[:12], lambda: services))
    rows = metric_rows(spec.dataset, evaluation.score, evaluation.subvolumes, spec.gate)
    with TemporaryDirectory() as docs:
        verdict = judge(rows, spec.gate, Path(docs), dataset=spec.dataset, run=spec.run, fingerprint=keys.write)
        for page in sorted(Path(docs).iterdir()):
            folder.write_file(f"datadocs/{page.name}", page.read_bytes(), "text/html")
    findings = worst_findings(per_body(evaluation.whole), per_segment(evaluation.whole))
    pictures = _pictures(spec, services, evaluation)
    for caption, png in pictures.items():
        folder.write_file(f"pictures/{caption.lower().replace(' ', '-')}.png", png, "image/png")
    segmented = StageFolder.reader(services.store, spec.dataset, SEGMENT, keys.segment).manifest()
    images = image_findings(segmented)
    (joins,) = StageFolder.reader(services.store, spec.dataset, RESOLVE, keys.resolve).item_markers([ITEM])
    counts = {name: int(count) for name, count in joins.statistics.items()}
    report = report_page(verdict, findings, images, pictures, run_links(spec, services), evaluation.left_out, counts)
    folder.write_file("report.html", report, "text/html")
    folder.write("findings", findings)
    folder.write("verdict", verdict)
    return verdict


def image_findings(markers: Iterable[ItemMarker]) -> list[ImageFinding]:
    """What the image checks found, and the subvolumes that failed, which come first."""
    found = []
    for marker in markers:
        for name, text in marker.statistics.items():
            if name == "failed" or name.startswith(FINDING):
                finding = name.removeprefix(FINDING)
                found.append(ImageFinding(subvolume=marker.item, finding=finding, text=str(text)))
    return sorted(found, key=lambda each: (each.finding != "failed", each.finding, each.subvolume))


def _pictures(spec: RunSpec, services: DvidServices, evaluation: Evaluation) -> dict[str, bytes]:
    window = _window(spec, services)
    slices = [Box((z, *window.start[1:]), (z + 1, *window.stop[1:])) for z in _places(window)]
    grayscale, segmentation, groundtruth = (
        np.concatenate([reader.read(box) for box in slices])
        for reader in (services.grayscale(spec), services.segmentation(spec), services.groundtruth(spec))
    )
    bodies = per_segment(evaluation.whole)
    return {
        "Slices": slices_picture(grayscale, segmentation, groundtruth, _places(window), spec.dataset),
        "Errors by subvolume": subvolume_picture(evaluation.subvolumes, spec.grid),
        "Body sizes": sizes_picture(bodies.voxels[bodies.ids != 0]),
    }


def _window(spec: RunSpec, services: DvidServices) -> Box:
    """The middle of the region, at most PICTURE_VOX voxels along Y and X."""
    roi = services.roi(spec)
    region = spec.volume.bounds if roi is None else roi.bounds.clipped(spec.volume.bounds)
    too_long = [max(0, n - PICTURE_VOX) for n in region.shape]
    start = (region.start[0], *(a + e // 2 for a, e in zip(region.start[1:], too_long[1:], strict=True)))
    shape = (region.shape[0], *(min(n, PICTURE_VOX) for n in region.shape[1:]))
    return Box.of_shape((shape[0], shape[1], shape[2]), (start[0], start[1], start[2]))


def _places(window: Box) -> list[int]:
    depth = window.shape[0]
    return sorted({window.start[0] + place for place in (depth // 6, depth // 2, depth * 5 // 6)})
