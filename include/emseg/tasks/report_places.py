"""The places of a report: the worst bodies of both kinds, with a picture of the plane where each is seen best."""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np

from emseg.evaluate import told
from emseg.geometry import Box, Coordinate
from emseg.phases.evaluate.truth import at_scale
from emseg.phases.labelmaps import groundtruth, measured_on, segmentation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import Finding, Findings, View
from emseg.quality.report.document import Place, PlacePicture
from emseg.quality.report.place_picture import Plane, place_jpeg, plane_of, scale_bar_nm, worst_plane
from emseg.tasks.report_gaps import Gaps
from emseg.tasks.run_links import link_to

PICTURED = 6
"""Places of either kind that get a picture, the worst ones."""
NEAR_VOX = 128
"""A fault is looked for in a cube with so many voxels a side, of the coarsest scale up to `COARSEST`."""
COARSEST = 2


def places_of(
    run: RunContext[DvidServices], findings: Findings, gaps: Gaps
) -> tuple[tuple[Place, ...], dict[str, bytes]]:
    """The places, and the pictures by their path below the run's folder."""
    pictures: dict[str, bytes] = {}
    kinds: tuple[tuple[Literal["cut", "joining"], tuple[Finding, ...]], ...]
    kinds = (("cut", findings.cut), ("joining", findings.joining))
    places = []
    for kind, found in kinds:
        for number, finding in enumerate(found):
            place = _place(run, kind, finding)
            if number < PICTURED and finding.view is not None:
                place = _with_picture(run, place, finding.view, pictures, gaps)
            places.append(place)
    return tuple(places), pictures


def _place(run: RunContext[DvidServices], kind: Literal["cut", "joining"], finding: Finding) -> Place:
    view = finding.view
    z, y, x = (0, 0, 0) if view is None else (int(at) for at in view.position_vox)
    return Place(
        kind=kind,
        body=finding.body,
        voxels=finding.voxels,
        volume_um3=_counted_nm3(run) * finding.voxels / 1e9,
        bits=finding.bits,
        partners=finding.partners,
        component_vox=finding.component_vox,
        position_vox=None if view is None else (z, y, x),
        link="" if view is None else link_to(run, view),
    )


def _counted_nm3(run: RunContext[DvidServices]) -> float:
    """Volume of a voxel of the scale that is compared."""
    return float(prod(run.spec.volume.voxel_size_nm) * (1 << 3 * measured_on(run).scale))


def _with_picture(
    run: RunContext[DvidServices], place: Place, view: View, pictures: dict[str, bytes], gaps: Gaps
) -> Place:
    whole = told(place.body, place.component_vox) if place.kind == "cut" else f"segment {place.body}"
    what = f"The picture of {whole}"
    drawn, reason = gaps.drawn(what, lambda: _drawn(run, place, view))
    if drawn is None:
        return place.model_copy(update={"no_picture": reason})
    picture, pictures[drawn[0].path] = drawn
    return place.model_copy(update={"picture": picture})


def _drawn(run: RunContext[DvidServices], place: Place, view: View) -> tuple[PlacePicture, bytes]:
    box = plane_of(_seen_best(run, place.kind, view), run.spec.volume.bounds)
    voxel_nm = run.spec.volume.voxel_size_nm[2]
    bar_nm = scale_bar_nm(box.shape[2], voxel_nm)
    readers = (run.open_services().grayscale(run.spec), segmentation(run), groundtruth(run))
    gray, labels, truth = (reader.read(box)[0] for reader in readers)
    jpeg = place_jpeg(Plane(gray, labels, truth, (view.segments, view.bodies)), bar_nm, voxel_nm)
    path = f"pictures/{'-'.join(map(str, (place.kind, place.body, *(place.component_vox or ()))))}.jpg"
    return PlacePicture(path=path, start_vox=tuple(box.start), stop_vox=tuple(box.stop), bar_nm=bar_nm), jpeg


def _seen_best(
    run: RunContext[DvidServices], kind: Literal["cut", "joining"], view: View
) -> tuple[float, float, float]:
    """A position near the view where the fault is seen; the view itself where it is seen nowhere near.

    Both labelmaps are read at a coarse scale, at most 2 Mvoxels of each.
    """
    maps = (groundtruth(run), segmentation(run)) if kind == "cut" else (segmentation(run), groundtruth(run))
    ids = (view.bodies, view.segments) if kind == "cut" else (view.segments, view.bodies)
    scale = min(COARSEST, *(each.info().max_scale for each in maps))
    at, half = Coordinate.of([int(edge) for edge in view.position_vox]), (NEAR_VOX << scale) // 2
    box = at_scale(Box(at, at + 1).grown(half).clipped(run.spec.volume.bounds), scale)
    body, other = (each.read(box, scale=scale) for each in maps)
    found = worst_plane(body == np.uint64(ids[0][0]), other, ids[1])
    if found is None:
        return view.position_vox
    z, y, x = (float((start + step) << scale) for start, step in zip(box.start, found, strict=True))
    return z, y, x
