"""The ground truth of one subvolume: its labels, without the voxels that do not count.

Voxels are those of the scale that is compared. One that covers voxels of two cores belongs to the core that holds the
first of them, so every voxel is counted in exactly one subvolume.
"""

from __future__ import annotations

import numpy as np

from emseg.array_types import Labels64
from emseg.evaluate import band_margin, near_boundary
from emseg.geometry import Box, checked_labels
from emseg.phases.labelmaps import groundtruth_labels, measured_on
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices


def at_scale(box: Box, scale: int) -> Box:
    """The voxels of `scale` whose first voxel of scale 0 lies in `box`."""
    return Box(box.start.ceil_div(1 << scale), box.stop.ceil_div(1 << scale))


def counted_truth(run: RunContext[DvidServices], core: Box) -> tuple[Labels64, int]:
    """Labels of a core, uint64 of the shape of `at_scale(core, scale)`; 0 where a voxel does not count.

    Outside the ROI, in the band at boundaries, of no listed body, and where the model was trained nothing counts. The
    number tells how many voxels the training alone takes away.
    """
    wanted = measured_on(run)
    box = at_scale(core, wanted.scale)
    truth = _stored(run, box)
    if wanted.bodies:
        truth[~np.isin(truth, np.array(wanted.bodies, np.uint64))] = 0
    if run.roi is not None:
        every = slice(None, None, 1 << wanted.scale)
        truth[~run.roi.mask(box.finer(1 << wanted.scale))[every, every, every]] = 0
    labelled = np.count_nonzero(truth)
    for excluded in wanted.excluded:
        trained_on = excluded.box.coarser(1 << wanted.scale).clipped(box)
        if not trained_on.is_empty:  # the slices of an empty box may run backwards
            truth[trained_on.slices(box.start)] = 0
    return truth, int(labelled - np.count_nonzero(truth))


def _stored(run: RunContext[DvidServices], box: Box) -> Labels64:
    """Labels as DVID has them, without those in the band at boundaries, for which more voxels are read."""
    wanted, volume = measured_on(run), run.spec.volume
    z, y, x = (edge * (1 << wanted.scale) for edge in volume.voxel_size_nm)
    margin = band_margin(wanted.ignore_boundary_nm, (z, y, x))
    two = run.spec.two_labelmaps
    read = box.grown(margin).clipped(at_scale(two.extents.box if two else volume.bounds, wanted.scale))
    name = f"{wanted.instance}, voxels {read.start} to {read.stop} of scale {wanted.scale}"
    truth = groundtruth_labels(run, read, wanted.scale)
    checked_labels(truth, "reading the ground truth", name)
    if wanted.ignore_boundary_nm:
        truth[near_boundary(truth, wanted.ignore_boundary_nm, (z, y, x))] = 0
    return truth[box.slices(read.start)]
