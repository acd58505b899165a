"""Volumes to learn from: npz files, or boxes of a dataset in DVID, checked before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, isfinite

import numpy as np
import numpy.typing as npt

from emseg.config import Dataset
from emseg.dvid import DvidServer, Grayscale, Labelmap, Node, repo_info, resolve_locked_node
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.segment.model import TrainingRegion, VoxelSize, dvid_source, file_source
from emseg.segment.training import TrainingVolume

DOING = "reading the training data"
TRAINING_MB, TRAINING_BYTES_PER_VOXEL = 1000, 100
"""Memory of a training: what does not grow with the boxes (libraries, samples), MiB, and what each voxel takes."""


@dataclass(frozen=True)
class TrainingSource:
    """A volume and where it came from."""

    volume: TrainingVolume
    region: TrainingRegion


def source_of_arrays(
    grayscale: npt.NDArray[np.uint8],
    groundtruth: npt.NDArray[np.integer],
    voxel_size_nm: VoxelSize,
    boxes: Sequence[Box],
    name: str,
) -> list[TrainingSource]:
    """Sources from arrays of one file: the boxes of it, or all of it. They are known by a digest of the grayscale.

    PermanentError for arrays of different shapes, a voxel size that is none, and what `check_boxes` refuses.
    """
    if grayscale.shape != groundtruth.shape or grayscale.ndim != 3:
        raise PermanentError(
            DOING,
            name,
            f"grayscale {grayscale.shape} and ground truth {groundtruth.shape}",
            "Give two volumes of one shape, axes Z Y X",
        )
    if not all(isfinite(size) and size > 0 for size in voxel_size_nm):
        raise PermanentError(DOING, name, f"the voxel size is {voxel_size_nm}", "Give it in nm, Z Y X, all above 0")
    bounds = Box((0, 0, 0), (grayscale.shape[0], grayscale.shape[1], grayscale.shape[2]))
    check_boxes(boxes, bounds, name)
    source = file_source(grayscale)
    return [
        TrainingSource(
            TrainingVolume(
                np.ascontiguousarray(grayscale[box.slices()]),
                np.ascontiguousarray(groundtruth[box.slices()]),
                voxel_size_nm,
            ),
            TrainingRegion(source=source, start=box.start, stop=box.stop),
        )
        for box in boxes or [bounds]
    ]


def sources_in_dvid(dataset: Dataset, boxes: Sequence[Box], server: DvidServer) -> list[TrainingSource]:
    """Sources from boxes of a dataset's grayscale and ground truth, as of its locked nodes.

    PermanentError, before any voxel is read, for boxes that `check_boxes` refuses or that take too much memory.
    """
    volume = dataset.volume
    node = resolve_locked_node(server, volume.node).uuid
    truth = node if volume.groundtruth.node is None else resolve_locked_node(server, volume.groundtruth.node).uuid
    grayscale = Grayscale(Node(server, node), volume.grayscale)
    labels = Labelmap(Node(server, truth), volume.groundtruth.instance)
    info = grayscale.info()
    on = f"dataset {dataset.name}, grayscale {volume.grayscale} at node {node}"
    if info.extents is None:
        raise PermanentError(DOING, on, "the instance holds no voxel", "Ingest the volume first")
    if not boxes:
        raise PermanentError(DOING, on, "no box", "Give the boxes whose ground truth is complete")
    check_boxes(boxes, info.extents, on)
    check_memory(boxes, dataset.limits.max_task_memory_mb, on)
    source = dvid_source(repo_info(server, node).root, volume.grayscale)
    return [
        TrainingSource(
            TrainingVolume(grayscale.read(box), labels.read(box), info.voxel_size_nm),
            TrainingRegion(source=source, start=box.start, stop=box.stop),
        )
        for box in boxes
    ]


def check_boxes(boxes: Sequence[Box], bounds: Box, on: str) -> None:
    """PermanentError for a box without voxels, outside the data, or overlapping another (it would know its answers)."""
    for box in boxes:
        if box.is_empty:
            raise PermanentError(
                DOING, on, f"the box {box.start} to {box.stop} is empty", "Give half-open boxes, Z Y X"
            )
        if not bounds.contains(box):
            raise PermanentError(
                DOING,
                on,
                f"the box {box.start} to {box.stop} leaves the data, {bounds.start} to {bounds.stop}",
                "Give boxes inside the data",
            )
    check_apart([TrainingRegion(source=on, start=box.start, stop=box.stop) for box in boxes], on)


def check_memory(boxes: Sequence[Box], limit_mb: int, on: str) -> None:
    """PermanentError where training on `boxes` would take more than `limit_mb`: 16 Mvoxels take 2526 MiB."""
    voxels = sum(box.voxels for box in boxes)
    needed_mb = TRAINING_MB + ceil(voxels * TRAINING_BYTES_PER_VOXEL / 2**20)
    if needed_mb > limit_mb:
        raise PermanentError(
            DOING,
            f"{on}, limits.max_task_memory_mb = {limit_mb}",
            f"the boxes have {voxels} voxels, and training on them takes {needed_mb} MiB",
            "Give smaller boxes from different places, or raise the limit",
        )


def check_apart(regions: Sequence[TrainingRegion], on: str) -> None:
    """PermanentError for two regions that share voxels of one grayscale, in whatever files it came."""
    for a, b in combinations(regions, 2):
        if a.source == b.source and not Box(a.start, a.stop).clipped(Box(b.start, b.stop)).is_empty:
            raise PermanentError(
                DOING,
                on,
                f"the boxes {a.start}-{a.stop} and {b.start}-{b.stop} overlap",
                "Give boxes that do not, and each volume once",
            )
