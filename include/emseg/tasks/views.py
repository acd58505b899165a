"""Where a person looks at a finding: at a voxel of the body, so wide that all of it is seen, with its bodies selected.

Example: a ground-truth body of 3 x 2 x 2 um is cut into segments 7 and 9. The view is at a voxel of the body in the
block that holds most of it, shows about 3 um, and selects segments 7 and 9, and the body in the ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.ndimage import label

from emseg.array_types import Ids, Mask
from emseg.config import RunSpec
from emseg.dvid import IndexTable, Labelmap, indices, mappings
from emseg.dvid.coordinates import blocks_around, one_block, voxels_of
from emseg.dvid.labels.mappings import bodies_of
from emseg.evaluate import BodyScores
from emseg.geometry import Box, Coordinate
from emseg.phases.labelmaps import groundtruth, segmentation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.survey.work import SurveyResult
from emseg.quality import Finding, Findings, LargeBody, View

PLACES = 5
"""Largest bodies that reasons, report and alert name, each with its place."""
NEAR_VOX = 32
"""So far from the first voxel of a component a place is looked for that shows how it is cut."""
LARGEST = 20
"""Segments that are selected in the view of a whole run."""


@dataclass(frozen=True)
class _Selected:
    """Bodies of a labelmap that a view is about, or supervoxels of it, the most important one first."""

    labelmap: Labelmap
    ids: tuple[int, ...]
    supervoxels: bool = False

    @property
    def bodies(self) -> tuple[int, ...]:
        """What neuroglancer can select: of supervoxels the bodies that hold them."""
        if not self.supervoxels:
            return self.ids
        return tuple(dict.fromkeys(bodies_of(_mapping(self.labelmap), np.array(self.ids, np.uint64)).tolist()))

    def inside(self, box: Box) -> Mask:
        labels = self.labelmap.read(box, supervoxels=True) if self.supervoxels else self.labelmap.read(box)
        mask: Mask = np.isin(labels, np.array(self.ids, np.uint64))
        return mask

    def blocks(self, bounds: Box) -> IndexTable:
        """Their voxels in each block that touches `bounds`, with the ids of this selection as bodies."""
        rows, blocks = indices(self.labelmap, self.bodies), blocks_around(bounds)
        inside = np.all((rows.block >= blocks.start) & (rows.block < blocks.stop), axis=1)
        if not self.supervoxels:
            return rows.rows(inside)
        rows = rows.rows(inside & np.isin(rows.supervoxel, np.array(self.ids, np.uint64)))
        return IndexTable(rows.block, rows.supervoxel, rows.supervoxel, rows.count)


@lru_cache(maxsize=2)
def _mapping(labelmap: Labelmap) -> tuple[Ids, Ids]:
    """All mappings of a labelmap of a locked node; views of supervoxels ask for them again and again."""
    return mappings(labelmap)


def _of_segmentation(run: RunContext[DvidServices], ids: tuple[int, ...]) -> _Selected:
    two = run.spec.two_labelmaps
    return _Selected(segmentation(run), ids, two is not None and two.segmentation_supervoxels)


def _of_groundtruth(run: RunContext[DvidServices], ids: tuple[int, ...]) -> _Selected:
    two = run.spec.two_labelmaps
    return _Selected(groundtruth(run), ids, two is not None and two.groundtruth_supervoxels)


def with_views(run: RunContext[DvidServices], findings: Findings, segments: BodyScores) -> Findings:
    """The findings of a run, each with its view, and a view of the largest of its segments."""
    assigned = segments.rows(np.flatnonzero(segments.ids != 0))
    largest = assigned.rows(np.lexsort((assigned.ids, -assigned.voxels))[:LARGEST])
    views = {
        "cut": tuple(f.model_copy(update={"view": _view_of_cut(run, f)}) for f in findings.cut),
        "joining": tuple(f.model_copy(update={"view": _view_of_joining(run, f)}) for f in findings.joining),
        "view": view_of_bodies(run, tuple(largest.ids.tolist())),
    }
    return findings.model_copy(update=views)


def large_bodies(run: RunContext[DvidServices], counted: SurveyResult) -> tuple[LargeBody, ...]:
    """The largest bodies of all of the volume, each with its view."""
    chosen = zip(counted.largest[:PLACES].tolist(), counted.largest_vox[:PLACES].tolist(), strict=True)
    return tuple(
        LargeBody(body=body, voxels=voxels, share=voxels / counted.survey.voxels, view=view_of_bodies(run, (body,)))
        for body, voxels in chosen
    )


def view_of_bodies(run: RunContext[DvidServices], ids: tuple[int, ...]) -> View:
    """View at a voxel of the first of these bodies of the segmentation, so wide that all of them are in it."""
    selected = _of_segmentation(run, ids)
    return _view(run.spec, selected).model_copy(update={"segments": selected.bodies})


def whole_view(spec: RunSpec) -> View:
    """View of the middle of the volume, all of it, with nothing selected."""
    bounds = spec.volume.bounds
    return View(position_vox=bounds.centre, span_nm=_span(spec, bounds.centre, bounds))


def _view_of_cut(run: RunContext[DvidServices], cut: Finding) -> View:
    body, parts = _of_groundtruth(run, (cut.body,)), _of_segmentation(run, cut.partner_ids)
    found: dict[str, object] = {"segments": parts.bodies, "bodies": body.bodies}
    if cut.component_vox is not None:  # the index of a body knows nothing of its components
        found["position_vox"] = _in_component(run, Coordinate.of(cut.component_vox), body, parts)
    return _view(run.spec, body, parts).model_copy(update=found)


def _in_component(
    run: RunContext[DvidServices], first: Coordinate, body: _Selected, parts: _Selected
) -> tuple[float, float, float]:
    """A voxel of a component near its first one, if possible one of the segments that it is cut into."""
    box = Box(first, first + 1).grown(NEAR_VOX).clipped(run.spec.volume.bounds)
    inside = body.inside(box) if run.roi is None else body.inside(box) & run.roi.mask(box)
    labels, _ = label(inside)
    own = (labels == labels[tuple(first - box.start)]) & inside
    shared = own & parts.inside(box)
    if not own.any():  # at a coarse scale a voxel may have a label that is not that of its first voxel
        return Box(first, first + 1).centre
    return _middle(box, shared if shared.any() else own)


def _view_of_joining(run: RunContext[DvidServices], joining: Finding) -> View:
    segment, joined = _of_segmentation(run, (joining.body,)), _of_groundtruth(run, joining.partner_ids)
    return _view(run.spec, segment, joined).model_copy(update={"segments": segment.bodies, "bodies": joined.bodies})


def _view(spec: RunSpec, first: _Selected, second: _Selected | None = None) -> View:
    """View at a voxel of `first`, if possible one of `second` too; of the whole volume where neither has an index."""
    rows = first.blocks(spec.volume.bounds)
    main = rows.rows(np.flatnonzero(rows.body == np.uint64(first.ids[0]))) if first.ids else rows
    if not len(main):  # ground truth of other programs may have no indices
        return whole_view(spec) if second is None else _view(spec, second)
    block = voxels_of(one_block(_fullest(main))).clipped(spec.volume.bounds)
    inside = replace(first, ids=first.ids[:1]).inside(block)
    shared = inside if second is None else inside & second.inside(block)
    position = _middle(block, shared if shared.any() else inside)
    start, stop = rows.block.min(axis=0), rows.block.max(axis=0) + 1
    held = voxels_of(Box(Coordinate.of(start.tolist()), Coordinate.of(stop.tolist()))).clipped(spec.volume.bounds)
    return View(position_vox=position, span_nm=_span(spec, position, held))


def _fullest(rows: IndexTable) -> Coordinate:
    """The block with most of the voxels."""
    blocks, which = np.unique(rows.block, axis=0, return_inverse=True)
    return Coordinate.of(blocks[np.bincount(which.ravel(), weights=rows.count).argmax()].tolist())


def _middle(box: Box, mask: Mask) -> tuple[float, float, float]:
    """The middle of the voxel of `mask` that is nearest to the mean of all of them; of the box where there is none."""
    voxels = np.argwhere(mask)
    if not len(voxels):
        return box.centre
    z, y, x = voxels[((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()].tolist()
    return box.start.z + z + 0.5, box.start.y + y + 0.5, box.start.x + x + 0.5


def _span(spec: RunSpec, position_vox: tuple[float, float, float], held: Box) -> float:
    """How wide a view at a position must be to show a box of voxels, in nm."""
    sides = zip(position_vox, held.start, held.stop, spec.volume.voxel_size_nm, strict=True)
    return max(2 * max(at - start, stop - at) * size for at, start, stop, size in sides)
