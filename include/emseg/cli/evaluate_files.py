"""Two npz files compared: the same figures, and the same options of what counts, as for labelmaps in DVID."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emseg.array_types import AnyLabels
from emseg.cli.boxes import Corners
from emseg.cli.console import console
from emseg.cli.files import load_array, load_labels, said_voxel_size
from emseg.config.groundtruth import Counting
from emseg.disk import told_path
from emseg.errors import PermanentError
from emseg.evaluate import (
    BODIES,
    Components,
    ContingencyTable,
    TruthComponents,
    TruthNames,
    contingency_table,
    large_bodies,
    near_boundary,
    parts_of,
)
from emseg.geometry import Box, VoxelSize, checked_voxel_size, same_voxel_size
from emseg.ingest.numpy_files import npz_names
from emseg.quality.scores import Scores, measured_fields

DOING = "evaluating a segmentation"


def scores_of_files(
    segmented: Path,
    truth: Path,
    counting: Counting,
    box: Corners | None,
    leave_out: Sequence[Corners],
    voxel_size: VoxelSize | None,
) -> Scores:
    """The scores; PermanentError for files that cannot be compared, and where nothing counts."""
    labels, groundtruth = load_labels(segmented, "labels"), load_labels(truth, "groundtruth")
    on = f"{segmented} and {truth}"
    if labels.shape != groundtruth.shape or not labels.size or labels.ndim != 3:
        found, remedy = f"shapes {labels.shape} and {groundtruth.shape}", "Give two volumes Z Y X of one shape"
        raise PermanentError(DOING, on, found, remedy)
    size = _one_size(segmented, truth, voxel_size)
    if counting.ignore_boundary_nm and size is None:
        size = said_voxel_size(None)
    bounds = Box.of_shape(labels.shape)
    inside = bounds if box is None else _within(bounds, box, "--box")
    without = [_within(bounds, corners, "--leave-out") for corners in leave_out]
    counted = _counted(_unseen(groundtruth, segmented, on), counting, size)
    outside = np.ones(groundtruth.shape, bool)
    outside[inside.slices()] = False
    for each in without:
        outside[each.slices()] = True
    counted[outside] = 0
    names = BODIES
    if counting.components:
        counted, names = _components(groundtruth, counted, inside)
    table = _checked(contingency_table(labels, counted), counting, on, names)
    fields: dict[str, Any] = measured_fields(table, counting.unassigned, names)
    return Scores(
        segmentation=told_path(segmented),
        groundtruth=told_path(truth),
        start=inside.start,
        stop=inside.stop,
        voxel_size_nm=size,
        counting=counting,
        **fields,
    )


def _one_size(segmented: Path, truth: Path, given: VoxelSize | None) -> VoxelSize | None:
    """The voxel size that the files' keys `voxel_size_nm` and the option tell; PermanentError where they differ."""
    told = {
        str(file): checked_voxel_size(load_array(file, "voxel_size_nm").ravel().tolist(), DOING, str(file))
        for file in (segmented, truth)
        if "voxel_size_nm" in npz_names(file)
    }
    if given is not None:
        told["--voxel-size"] = checked_voxel_size(given, DOING, f"--voxel-size {given}")
    if not told:
        return None
    (first, size), *others = told.items()
    for other, its_size in others:
        if not same_voxel_size(size, its_size):
            raise PermanentError(
                DOING,
                f"{first} and {other}",
                f"the voxels are {size} nm and {its_size} nm (Z Y X), so equal positions are not the same tissue",
                "Give two volumes of one voxel size",
            )
    return size


def _within(bounds: Box, corners: Corners, option: str) -> Box:
    box = Box(corners[:3], corners[3:])
    if box.is_empty or not bounds.contains(box):
        found = f"the volume is {bounds.start} to {bounds.stop}, and the box is not a part of it with voxels"
        remedy = "Give Z0,Y0,X0,Z1,Y1,X1 inside, Z0 below Z1, Y0 below Y1 and X0 below X1"
        raise PermanentError(DOING, f"{option} {','.join(map(str, corners))}", found, remedy)
    return box


def _counted(groundtruth: AnyLabels, counting: Counting, size: VoxelSize | None) -> AnyLabels:
    """A copy of the ground truth, 0 in the band at boundaries, of all bodies, and of bodies that are not listed."""
    counted: AnyLabels = groundtruth.copy()
    if counting.ignore_boundary_nm and size is not None:
        counted[near_boundary(groundtruth.astype(np.uint64), counting.ignore_boundary_nm, size)] = 0
    if counting.bodies:
        counted[~np.isin(counted, np.array(counting.bodies, np.uint64))] = 0
    return counted


def _components(groundtruth: AnyLabels, counted: AnyLabels, region: Box) -> tuple[AnyLabels, TruthNames]:
    """The component at each voxel of `counted`, in place of its body; what does not count cuts none."""
    parts, table = parts_of(groundtruth[region.slices()], region, region)
    components = np.zeros(groundtruth.shape, np.uint64)
    components[region.slices()] = parts
    components[counted == 0] = 0
    return components, TruthNames(TruthComponents(Components.of([table]), region, scale=0))


def _checked(table: ContingencyTable, counting: Counting, on: str, names: TruthNames) -> ContingencyTable:
    """The rows of bodies that are large enough; PermanentError where a listed one, or all of them, lack voxels."""
    missing = sorted(set(counting.bodies) - set(names.bodies(table.groundtruth).tolist()))
    if missing:
        found = f"of {', '.join(map(str, missing[:10]))} no voxel counts"
        raise PermanentError(DOING, f"{on}, --body", found, "Name bodies that the ground truth has")
    table = large_bodies(table, counting.min_body_vox)
    if len(table) == 0:
        raise PermanentError(
            DOING,
            on,
            "no voxel has ground truth that counts",
            "Give labels above 0 in key `groundtruth`, and let --ignore-boundary-nm, --min-body-vox, --box and "
            "--leave-out leave some of it",
        )
    if not table.segmentation.any():
        found, remedy = "no voxel that counts has a segment", "Give labels above 0 in key `labels`"
        raise PermanentError(DOING, on, found, remedy)
    return table


def _unseen(groundtruth: AnyLabels, segmented: Path, on: str) -> AnyLabels:
    """Ground truth without what the model of the segmentation was trained on; PermanentError if nothing remains."""
    boxes = _seen(segmented)
    if not boxes:
        return groundtruth
    kept, bounds = groundtruth.copy(), Box.of_shape(groundtruth.shape)
    for box in boxes:
        if not bounds.contains(box):
            found = f"key `seen` says that the model was trained on {box.start} to {box.stop}, outside of {bounds.stop}"
            raise PermanentError(DOING, str(segmented), found, "Segment the volume again")
        kept[box.slices()] = 0
    told = ", ".join(f"{tuple(box.start)} to {tuple(box.stop)}" for box in boxes)
    if not kept.any():
        raise PermanentError(
            DOING,
            on,
            f"the model was trained on all of this ground truth, boxes {told}, so the score would mean nothing",
            "Evaluate on other tissue, or train on boxes of this file",
        )
    console.print(f"Left out, because the model was trained there: {told}")
    return kept


def _seen(segmented: Path) -> list[Box]:
    """The boxes that `emseg segment` wrote into a segmentation; none where another program wrote it."""
    if "seen" not in npz_names(segmented):
        return []
    seen = load_array(segmented, "seen")
    if seen.dtype.kind not in "ui" or seen.ndim != 3 or seen.shape[1:] != (2, 3):
        found = f"key `seen` is {seen.dtype} {seen.shape}, not boxes (n, 2, 3)"
        raise PermanentError(DOING, str(segmented), found, "Segment the volume again")
    return [Box(tuple(start), tuple(stop)) for start, stop in seen.tolist()]
