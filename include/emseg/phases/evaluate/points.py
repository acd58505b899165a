"""Synapses and nodes of skeletons in one subvolume, with the labels there.

Memory: 320 bytes a point or connection of the core, and 3 kB a synapse that one request to DVID answers with.

Example: a core holds a presynaptic point in body 7, whose partner lies in the next core. The connection is of this
subvolume, the partner's point is of the next one, and the label of the partner is looked up for both.

Points are single voxels of scale 0. One counts inside of the ROI and outside of the boxes that the model was trained
on. At synapses it also needs a body that counts. The band at boundaries takes none away: synapses lie at membranes.
"""

from __future__ import annotations

import numpy as np

from emseg.array_types import Counts, Flags, Ids
from emseg.dvid import Labelmap, labels_at
from emseg.evaluate import ConnectionTable, ContingencyTable, SkeletonNodes, connection_table, contingency_table
from emseg.evaluate.skeleton_nodes import in_box
from emseg.geometry import Box
from emseg.phases.evaluate.instances import annotations_of, skeletons_of
from emseg.phases.labelmaps import groundtruth, measured_on, segmentation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices


def synapses_in(run: RunContext[DvidServices], core: Box) -> tuple[ContingencyTable, ConnectionTable]:
    """The points of a core, and the connections whose presynaptic point it holds."""
    found = annotations_of(run).read(core, run.roi)
    ends = (found.points, found.pre, found.post)
    bodies = [_bodies(run, points) for points in ends]
    segments = [_where(segmentation(run), points, body != 0) for points, body in zip(ends, bodies, strict=True)]
    table = connection_table(segments[1], segments[2], bodies[1], bodies[2])
    return contingency_table(segments[0], bodies[0]), table


def skeleton_nodes_in(run: RunContext[DvidServices], core: Box) -> SkeletonNodes:
    """The nodes of a core that count."""
    skeletons = skeletons_of(run)
    nodes = skeletons.nodes_in(core)
    nodes = nodes[_counts(run, skeletons.voxels[nodes])]
    return SkeletonNodes(nodes, labels_at(segmentation(run), skeletons.voxels[nodes]))


def _bodies(run: RunContext[DvidServices], points: Counts) -> Ids:
    """Ground-truth body at each point, 0 where the point does not count."""
    bodies = _where(groundtruth(run), points, _counts(run, points))
    if listed := measured_on(run).bodies:
        bodies[~np.isin(bodies, np.array(listed, np.uint64))] = 0
    return bodies


def _counts(run: RunContext[DvidServices], points: Counts) -> Flags:
    counts = in_box(points, run.spec.volume.bounds)  # partners may lie anywhere
    if run.roi is not None:
        counts[counts] = run.roi.holds(points[counts])
    for excluded in measured_on(run).excluded:
        counts &= ~in_box(points, excluded.box)
    return counts


def _where(labelmap: Labelmap, points: Counts, which: Flags) -> Ids:
    """Labels at some of the points; 0 at the others, for which nothing is asked."""
    labels = np.zeros(len(points), np.uint64)
    labels[which] = labels_at(labelmap, points[which])
    return labels
