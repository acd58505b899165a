"""What an item's work may talk to: the object store, and the volume in DVID or in a file.

Workers open their services themselves, from their own environment, once a process: no connection and no secret
travels with a task.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from emseg.config import RunSpec, dvid_connection, s3_connection
from emseg.config.edits import Edits
from emseg.dvid import DvidServer, Grayscale, Labelmap, Node, RoiInstance, voxels_of_bodies
from emseg.errors import IntegrityError
from emseg.geometry import Box, Grid, Roi
from emseg.segment import ModelFolder
from emseg.stages.edits import read_edits
from emseg.stages.keys import stage_keys
from emseg.stages.models import load_model
from emseg.store import ObjectStore, S3Store, StageFolder


class GrayscaleReader(Protocol):
    """Reads uint8 grayscale of any box, ZYX; voxels outside the volume are 0."""

    def read(self, box: Box) -> npt.NDArray[np.uint8]:
        """Grayscale of `box`, shape `box.shape`."""
        ...


class Services(Protocol):
    """The store and the volume to segment: all that segmentation, matching and resolution need."""

    @property
    def store(self) -> ObjectStore:
        """Where artefacts and markers are kept."""
        ...

    def grayscale(self, spec: RunSpec) -> GrayscaleReader:
        """Reader of the pinned grayscale."""
        ...

    def roi(self, spec: RunSpec) -> Roi | None:
        """The pinned ROI; None means the whole volume."""
        ...

    def preserved(self, spec: RunSpec, box: Box) -> npt.NDArray[np.bool_]:
        """Which voxels of `box` belong to bodies that stay as they are, bool of `box.shape`."""
        ...

    def model(self, digest: str) -> ModelFolder:
        """The model of trained steps."""
        ...


class DvidServices:
    """Services of a real run; it can also write the segmentation and read the ground truth."""

    def __init__(self, store: ObjectStore, server: DvidServer) -> None:
        self.store = store
        self.server = server
        self._rois: dict[str, Roi] = {}
        self._models: dict[str, ModelFolder] = {}
        self._labelmaps: dict[tuple[str, str], Labelmap] = {}

    def grayscale(self, spec: RunSpec) -> Grayscale:
        """Grayscale instance at the pinned node."""
        return Grayscale(Node(self.server, spec.volume.node), spec.volume.grayscale)

    def roi(self, spec: RunSpec) -> Roi | None:
        """The ROI, read once a process and checked against the digest pinned in the spec."""
        volume = spec.volume
        if volume.roi is None:
            return None
        if volume.roi_digest not in self._rois:
            roi = RoiInstance(Node(self.server, volume.node), volume.roi).read()
            if roi.digest != volume.roi_digest:
                raise IntegrityError(
                    "reading the ROI",
                    f"{volume.roi} at node {volume.node}",
                    "it is not the one that this run was resolved with",
                    "Clear the task `resolve` to take the ROI as it is now",
                )
            self._rois[volume.roi_digest] = roi
        return self._rois[volume.roi_digest]

    def preserved(self, spec: RunSpec, box: Box) -> npt.NDArray[np.bool_]:
        """Which voxels of `box` belong to bodies that stay as they are, bool of `box.shape`."""
        return voxels_of_bodies(self.inherited(spec), spec.output.preserve_bodies, box)

    def model(self, digest: str) -> ModelFolder:
        """The model kept under `digest`, read once a process."""
        if digest not in self._models:
            self._models[digest] = load_model(self.store, digest)
        return self._models[digest]

    def edits(self, dataset: str, segment_key: str) -> Edits:
        """What people decided about the supervoxels of a segmentation."""
        return read_edits(self.store, dataset, segment_key)

    def segmentation(self, spec: RunSpec) -> Labelmap:
        """The labelmap that this run writes, on the run's own branch."""
        return self._labelmap(segmentation_uuid(spec), spec.output.instance)

    def inherited(self, spec: RunSpec) -> Labelmap:
        """The output instance as the segmented (locked) version has it: what the run inherits."""
        return self._labelmap(spec.volume.node, spec.output.instance)

    def groundtruth(self, spec: RunSpec) -> Labelmap:
        """The labelmap to measure against."""
        return self._labelmap(spec.groundtruth.node, spec.groundtruth.instance)

    def _labelmap(self, uuid: str, instance: str) -> Labelmap:
        """The same one for every task of a process: it asks for its settings once."""
        if (uuid, instance) not in self._labelmaps:
            self._labelmaps[uuid, instance] = Labelmap(Node(self.server, uuid), instance)
        return self._labelmaps[uuid, instance]


@cache
def services_from_environment() -> DvidServices:
    """Services named by this process's environment (EMSEG_*, AWS_*), opened once; `resolve` has probed the store."""
    return DvidServices(S3Store.open(s3_connection(os.environ), probe=False), DvidServer(dvid_connection(os.environ)))


S_co = TypeVar("S_co", bound=Services, covariant=True)


@dataclass(frozen=True)
class Workplace(Generic[S_co]):
    """What a phase is run with: the spec, the id of this attempt, and how a worker opens its services."""

    spec: RunSpec
    attempt: str
    open_services: Callable[[], S_co]

    def folder(self, stage: str) -> StageFolder:
        """Folder of a stage of this run, writing under this attempt."""
        return StageFolder(
            self.open_services().store, self.spec.dataset, stage, getattr(stage_keys(self.spec), stage), self.attempt
        )


def segmentation_uuid(spec: RunSpec) -> str:
    """UUID of the DVID node that holds this run's segmentation: its write key, so that a retry finds it again."""
    return stage_keys(spec).write


def branch_name(spec: RunSpec) -> str:
    """Name of the run-owned branch."""
    return f"emseg-{stage_keys(spec).write[:16]}"


def chosen_cells(grid: Grid, roi: Roi | None) -> list[int]:
    """Numbers of the subvolumes to compute: all cells, or those that hold a voxel of the ROI."""
    if roi is None:
        return list(range(grid.shape[0] * grid.shape[1] * grid.shape[2]))
    return roi.cells_of(grid)


def is_chosen(roi: Roi | None, core: Box) -> bool:
    """Whether a subvolume with this core is computed; agrees with `chosen_cells`."""
    return roi is None or roi.touches(core)
