"""A volume to learn from: its checks, its boundary voxels, and its two halves, of which each judges the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.geometry import VoxelSize, checked_labels, checked_voxel_size

DOING = "checking the training data"
LEAST_SIDE = 32
"""Voxels that the longest side must have, so that both halves have enough context."""


@dataclass(frozen=True, eq=False)
class TrainingVolume:
    """Grayscale uint8 ZYX, ground truth of the same shape (see `checked_labels`; 0 is unlabelled), voxel size in nm."""

    grayscale: npt.NDArray[np.uint8]
    groundtruth: npt.NDArray[np.integer]
    voxel_size_nm: VoxelSize

    @property
    def halves(self) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Two halves, cut across the longest axis; among equally long axes Y goes before X, and X before Z."""
        shape = self.grayscale.shape
        axis = max((1, 2, 0), key=lambda a: shape[a])
        cut = shape[axis] // 2
        return tuple(
            tuple(part if a == axis else slice(0, shape[a]) for a in range(3))
            for part in (slice(0, cut), slice(cut, shape[axis]))
        )  # type: ignore[return-value]

    def boundary(self) -> npt.NDArray[np.bool_]:
        """Voxels that touch, across a face, a voxel of another body; unlabelled voxels make no boundary."""
        labels = self.groundtruth
        found = np.zeros(labels.shape, bool)
        for axis in range(3):
            low = tuple(slice(0, -1) if a == axis else slice(None) for a in range(3))
            high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
            differs = (labels[low] != labels[high]) & (labels[low] != 0) & (labels[high] != 0)
            found[low] |= differs
            found[high] |= differs
        return found


def check_volumes(volumes: Sequence[TrainingVolume]) -> None:
    """PermanentError for data that cannot be learned from, with the number of the volume and what was found."""
    if not volumes:
        raise PermanentError(DOING, "0 volumes", "there is nothing to learn from", "Give grayscale and ground truth")
    if len({volume.voxel_size_nm for volume in volumes}) > 1:
        sizes = ", ".join(str(volume.voxel_size_nm) for volume in volumes)
        raise PermanentError(DOING, "voxel sizes", sizes, "Train one model for each voxel size")
    for number, volume in enumerate(volumes, 1):
        gray, truth = volume.grayscale, volume.groundtruth
        on = f"volume {number} of {len(volumes)}, grayscale {gray.dtype} {gray.shape}"
        checked_labels(truth, DOING, f"{on}, ground truth {truth.dtype} {truth.shape}")
        checked_voxel_size(volume.voxel_size_nm, DOING, on)
        found = _fault(volume)
        if found:
            raise PermanentError(
                DOING,
                on,
                found,
                "Give uint8 grayscale and ground truth of one shape, with two bodies or more that touch",
            )


def _fault(volume: TrainingVolume) -> str:
    gray, labels = volume.grayscale, volume.groundtruth
    if gray.ndim != 3 or gray.dtype != np.uint8:
        return f"the grayscale must be uint8 with three axes, not {gray.dtype} {gray.shape}"
    if labels.shape != gray.shape:
        return f"the ground truth is {labels.dtype} {labels.shape}"
    if gray.size == 0 or max(gray.shape) < LEAST_SIDE:
        return f"it is too small: the longest side must have {LEAST_SIDE} voxels"
    if gray.min() == gray.max():
        return f"the grayscale is constant ({gray.flat[0]})"
    return _fault_of_labels(volume)


def _fault_of_labels(volume: TrainingVolume) -> str:
    if not volume.groundtruth.any():
        return f"0 of {volume.groundtruth.size} voxels of the ground truth have a label"
    boundary = volume.boundary()
    for number, half in enumerate(volume.halves, 1):
        labelled = volume.groundtruth[half] != 0
        edge, inside = np.count_nonzero(boundary[half]), np.count_nonzero(labelled & ~boundary[half])
        if not edge or not inside:
            return f"half {number} has {edge} voxels at a boundary between two bodies, and {inside} inside a body"
    return ""
