"""The ground truth of one subvolume: its labels, without the voxels that do not count.

Voxels are those of the scale that is compared. One that covers voxels of two cores belongs to the core that holds the
first of them, so every voxel is counted in exactly one subvolume.

The region (bounds and ROI) cuts components of bodies, because nothing was segmented outside of it. What does not count
inside of it cuts none: in the band at boundaries and where the model was trained there is a segmentation, too.
"""

from __future__ import annotations

import numpy as np

from emseg.array_types import Labels64, Mask
from emseg.evaluate import ComponentParts, band_margin, near_boundary, parts_of, with_plane_before
from emseg.geometry import Box, checked_labels
from emseg.phases.labelmaps import groundtruth_labels, measured_on
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices


def at_scale(box: Box, scale: int) -> Box:
    """The voxels of `scale` whose first voxel of scale 0 lies in `box`."""
    return Box(box.start.ceil_div(1 << scale), box.stop.ceil_div(1 << scale))


def evaluated_region(run: RunContext[DvidServices]) -> Box:
    """The voxels, of the scale that is compared, that hold all that is evaluated."""
    return at_scale(run.spec.volume.bounds, measured_on(run).scale)


def counted_truth(run: RunContext[DvidServices], core: Box) -> tuple[Labels64, int]:
    """Labels of a core, uint64 of the shape of `at_scale(core, scale)`; 0 where a voxel does not count.

    Outside the ROI, in the band at boundaries, of no listed body, and where the model was trained nothing counts. The
    number tells how many voxels the training alone takes away.
    """
    box = at_scale(core, measured_on(run).scale)
    return _counted(run, box, *_inside(run, box))


def counted_parts(run: RunContext[DvidServices], core: Box) -> tuple[Labels64, int, ComponentParts]:
    """The same with parts of components in place of bodies, and the table of these parts."""
    box, region = at_scale(core, measured_on(run).scale), evaluated_region(run)
    more = with_plane_before(box, region)
    bodies, near = _inside(run, more)
    parts, table = parts_of(bodies, box, region)
    own = box.slices(more.start)
    counted, trained_on = _counted(run, box, bodies[own], near[own])
    parts[counted == 0] = 0
    return parts, trained_on, table


def _counted(run: RunContext[DvidServices], box: Box, bodies: Labels64, near: Mask) -> tuple[Labels64, int]:
    """`bodies` without those voxels that do not count; it is changed."""
    bodies[near] = 0
    labelled, scale = np.count_nonzero(bodies), measured_on(run).scale
    for excluded in measured_on(run).excluded:
        trained_on = excluded.box.coarser(1 << scale).clipped(box)
        if not trained_on.is_empty:  # the slices of an empty box may run backwards
            bodies[trained_on.slices(box.start)] = 0
    return bodies, int(labelled - np.count_nonzero(bodies))


def _inside(run: RunContext[DvidServices], box: Box) -> tuple[Labels64, Mask]:
    """Listed bodies inside of the ROI, and which voxels lie in the band at boundaries."""
    wanted = measured_on(run)
    bodies, near = _stored(run, box)
    if wanted.bodies:
        bodies[~np.isin(bodies, np.array(wanted.bodies, np.uint64))] = 0
    if run.roi is not None:
        every = slice(None, None, 1 << wanted.scale)
        bodies[~run.roi.mask(box.finer(1 << wanted.scale))[every, every, every]] = 0
    return bodies, near


def _stored(run: RunContext[DvidServices], box: Box) -> tuple[Labels64, Mask]:
    """Labels as DVID has them, and which are in the band at boundaries, for which more voxels are read."""
    wanted, volume = measured_on(run), run.spec.volume
    z, y, x = (edge * (1 << wanted.scale) for edge in volume.voxel_size_nm)
    margin = band_margin(wanted.ignore_boundary_nm, (z, y, x))
    two = run.spec.two_labelmaps
    read = box.grown(margin).clipped(at_scale(two.extents.box if two else volume.bounds, wanted.scale))
    name = f"{wanted.instance}, voxels {read.start} to {read.stop} of scale {wanted.scale}"
    truth, own = groundtruth_labels(run, read, wanted.scale), box.slices(read.start)
    checked_labels(truth, "reading the ground truth", name)
    if not wanted.ignore_boundary_nm:
        return truth[own], np.zeros(box.shape, bool)
    return truth[own], near_boundary(truth, wanted.ignore_boundary_nm, (z, y, x))[own]
