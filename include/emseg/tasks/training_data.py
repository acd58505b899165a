"""Boxes of a dataset in DVID as volumes to learn from, checked before any voxel is read."""

from __future__ import annotations

from collections.abc import Sequence

from emseg.config import Dataset
from emseg.dvid import DvidServer, Grayscale, Labelmap, Node, repo_info, resolve_locked_node
from emseg.errors import PermanentError
from emseg.geometry import Box, checked_labels
from emseg.segment.model import TrainingRegion, dvid_source
from emseg.tasks.one_grid import check_extents, check_voxel_size
from emseg.training import TrainingSource, TrainingVolume
from emseg.training.sources import DOING, check_boxes, check_memory


def sources_in_dvid(dataset: Dataset, boxes: Sequence[Box], server: DvidServer) -> list[TrainingSource]:
    """Sources from boxes of a dataset's grayscale and ground truth, as of its locked nodes.

    PermanentError, before any voxel is read, for boxes that `check_boxes` refuses or that take too much memory.
    """
    volume, labelled = dataset.volume, dataset.volume.groundtruth
    if labelled is None:
        found = "its dataset file says `groundtruth: none`"
        raise PermanentError(DOING, f"dataset {dataset.name}", found, "Name a ground truth that the boxes are part of")
    node = resolve_locked_node(server, volume.node).uuid
    truth = node if labelled.node is None else resolve_locked_node(server, labelled.node).uuid
    grayscale = Grayscale(Node(server, node), volume.grayscale)
    labels = Labelmap(Node(server, truth), labelled.instance)
    info = grayscale.info()
    on = f"dataset {dataset.name}, grayscale {volume.grayscale} at node {node}"
    extents = check_extents(info.extents, DOING, on)
    of_labels = f"dataset {dataset.name}, ground truth {labelled.instance} at node {truth}"
    check_voxel_size(labels.info().voxel_size_nm, info.voxel_size_nm, DOING, of_labels)
    if not boxes:
        raise PermanentError(DOING, on, "no box was given", "Give the boxes whose ground truth is complete")
    check_boxes(boxes, extents, on)
    check_memory(boxes, dataset.limits.max_task_memory_mb, on)
    source = dvid_source(repo_info(server, node).root, volume.grayscale)
    return [
        TrainingSource(
            TrainingVolume(
                grayscale.read(box),
                checked_labels(labels.read(box), DOING, f"ground truth {labels.instance}, {box.start} to {box.stop}"),
                info.voxel_size_nm,
            ),
            TrainingRegion(source=source, start=box.start, stop=box.stop),
        )
        for box in boxes
    ]
