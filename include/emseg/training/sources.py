"""Volumes to learn from together with their origin, and the checks that boxes must pass before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.geometry import Box, VoxelSize, checked_voxel_size
from emseg.segment.model import TrainingRegion, file_source
from emseg.training.volume import TrainingVolume

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
    """Sources from the arrays of one file: its `boxes`, or all of it. A digest of the grayscale identifies the file.

    PermanentError for arrays of different shapes, for a voxel size that is none, and for boxes that
    `check_boxes` refuses.
    """
    if grayscale.shape != groundtruth.shape or grayscale.ndim != 3:
        raise PermanentError(
            DOING,
            name,
            f"grayscale {grayscale.shape} and ground truth {groundtruth.shape}",
            "Give two volumes of one shape, axes Z Y X",
        )
    checked_voxel_size(voxel_size_nm, DOING, name)
    bounds = Box.of_shape(grayscale.shape)
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


def check_boxes(boxes: Sequence[Box], bounds: Box, on: str) -> None:
    """PermanentError for a box that is empty, leaves `bounds`, or overlaps another one.

    Two boxes that overlap would let a forest be judged by voxels that it learned from.
    """
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
    """PermanentError for two regions that share voxels of one grayscale, in whatever files they came."""
    for a, b in combinations(regions, 2):
        if a.source == b.source and not Box(a.start, a.stop).clipped(Box(b.start, b.stop)).is_empty:
            raise PermanentError(
                DOING,
                on,
                f"the boxes {a.start}-{a.stop} and {b.start}-{b.stop} overlap",
                "Give boxes that do not overlap, and each volume once",
            )
