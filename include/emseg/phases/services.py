"""What an item's work may talk to: the object store, and the volume in DVID or in a file.

Workers open their services themselves, from their own environment, once a process: no connection and no secret
travels with a task.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from emseg.config import RunSpec, dvid_connection, s3_connection
from emseg.dvid import DvidServer, Grayscale, Labelmap, Node, RoiInstance, voxels_of_bodies
from emseg.errors import IntegrityError
from emseg.geometry import Box, Roi
from emseg.phases.models import load_model
from emseg.segment import ModelFolder
from emseg.store import ObjectStore, S3Store


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
                    "it is not the one that this run was pinned with",
                    "Clear the task `pin` to take the ROI as it is now",
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

    def inherited(self, spec: RunSpec) -> Labelmap:
        """The output instance as the segmented (locked) version has it."""
        return self.labelmap(spec.volume.node, spec.output.instance)

    def labelmap(self, uuid: str, instance: str) -> Labelmap:
        """The same one for every task of a process: it asks for its settings once."""
        if (uuid, instance) not in self._labelmaps:
            self._labelmaps[uuid, instance] = Labelmap(Node(self.server, uuid), instance)
        return self._labelmaps[uuid, instance]


@cache
def services_from_environment() -> DvidServices:
    """Services named by this process's environment (EMSEG_*, AWS_*), opened once; task `pin` has probed the store."""
    return DvidServices(S3Store.open(s3_connection(os.environ), probe=False), DvidServer(dvid_connection(os.environ)))
