"""The same plan, steps and stitching on a volume in memory, in one process and without any service.

Everything but the DVID write runs exactly as in a real run: the artefacts and markers go to a folder on disk.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import numpy.typing as npt

from emseg.config import RunSpec
from emseg.config.dataset import Output, Segmentation
from emseg.config.gate import GatePolicy
from emseg.config.runspec import PinnedGroundTruth, PinnedVolume
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.errors import PermanentError
from emseg.geometry import Box, Roi, VoxelSize, checked_voxel_size, supervoxel_ids
from emseg.phases import phases_of
from emseg.phases.keys import code_versions
from emseg.phases.resolve.artefacts import read_mapping
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import SegmentedSubvolume
from emseg.segment import ModelFolder, without_models
from emseg.store import FolderStore
from emseg.tasks.jobs import run_phases, run_stage
from emseg.tasks.pin import pinned_segmentation

VOXEL_SIZE_NM: VoxelSize = (10.0, 10.0, 10.0)
"""Taken for volumes that do not say."""


class ArrayReader:
    """Grayscale of an array whose first voxel is (0, 0, 0)."""

    def __init__(self, grayscale: npt.NDArray[np.uint8]) -> None:
        self._grayscale = grayscale

    def read(self, box: Box) -> npt.NDArray[np.uint8]:
        """A copy of the voxels of `box`, which must lie inside."""
        return np.ascontiguousarray(self._grayscale[box.slices()])


class LocalServices:
    """Services of a run on one array: a folder as the store, no ROI, at most one model."""

    def __init__(self, store: FolderStore, grayscale: npt.NDArray[np.uint8], model: ModelFolder | None) -> None:
        self.store = store
        self._model = model
        self._reader = ArrayReader(grayscale)

    def grayscale(self, spec: RunSpec) -> ArrayReader:  # noqa: ARG002 - one array, whatever the spec
        """Reader of the array."""
        return self._reader

    def roi(self, spec: RunSpec) -> Roi | None:  # noqa: ARG002
        """The whole volume."""
        return None

    def preserved(self, spec: RunSpec, box: Box) -> npt.NDArray[np.bool_]:  # noqa: ARG002
        """No voxel: there is no earlier segmentation."""
        return np.zeros(box.shape, bool)

    def model(self, digest: str) -> ModelFolder:
        """The model given; PermanentError when a step asks for another."""
        if self._model is None or self._model.digest != digest:
            return without_models(digest)
        return self._model


def segment_array(
    grayscale: npt.NDArray[np.uint8],
    segmentation: Segmentation,
    stitching: Stitching,
    store: FolderStore,
    voxel_size_nm: VoxelSize = VOXEL_SIZE_NM,
    model: ModelFolder | None = None,
) -> npt.NDArray[np.uint64]:
    """Bodies of a uint8 ZYX volume as uint64 labels of its shape, 0 where masked. Deterministic; resumes in `store`.

    `model` is for the trained steps of the pipeline.
    """
    return bodies_of(run_on_array(grayscale, segmentation, stitching, store, voxel_size_nm, model))


def run_on_array(
    grayscale: npt.NDArray[np.uint8],
    segmentation: Segmentation,
    stitching: Stitching,
    store: FolderStore,
    voxel_size_nm: VoxelSize = VOXEL_SIZE_NM,
    model: ModelFolder | None = None,
) -> RunContext[LocalServices]:
    """The run that `segment_array` makes: nothing is computed yet."""
    _check(grayscale)
    checked_voxel_size(voxel_size_nm, "segmenting a volume", "voxel_size_nm")
    services = LocalServices(store, grayscale, model)
    if model is not None:
        segmentation = segmentation.model_copy(update={"model": model.digest})
    spec = _spec(grayscale, segmentation, stitching, voxel_size_nm, services)
    return RunContext(spec, "local", lambda: services)


def bodies_of(run: RunContext[LocalServices]) -> npt.NDArray[np.uint64]:
    """Segment, match and resolve in this process, and put the bodies of all subvolumes together."""
    run = run_stage("segment", run, InProcess()).run
    run_phases("stitch", tuple(phase for phase in phases_of("stitch") if not phase.writes_dvid), run, InProcess())
    mapping, volume = read_mapping(run), np.zeros(run.grid.bounds.shape, np.uint64)
    for each in SegmentedSubvolume.several(run, run.cells):
        labels = supervoxel_ids(each.core_labels(), each.subvolume.number)
        volume[each.subvolume.core.slices()] = mapping.body_of(labels)
    return volume


def _check(grayscale: npt.NDArray[np.uint8]) -> None:
    if grayscale.ndim != 3 or grayscale.dtype != np.uint8 or grayscale.size == 0:
        raise PermanentError(
            "segmenting a volume",
            "grayscale",
            f"dtype {grayscale.dtype}, shape {grayscale.shape}",
            "Give a uint8 array with axes Z, Y, X and at least one voxel",
        )


def _spec(
    grayscale: npt.NDArray[np.uint8],
    segmentation: Segmentation,
    stitching: Stitching,
    voxel_size_nm: VoxelSize,
    services: LocalServices,
) -> RunSpec:
    z, y, x = grayscale.shape
    volume = PinnedVolume(
        root="local",
        node=sha256(grayscale.tobytes()).hexdigest()[:32],
        grayscale="grayscale",
        bounds_start=(0, 0, 0),
        bounds_stop=(z, y, x),
        voxel_size_nm=voxel_size_nm,
        roi=None,
        roi_digest="",
    )
    return RunSpec(
        dataset="local",
        run="local",
        volume=volume,
        segmentation=pinned_segmentation(segmentation, voxel_size_nm, services.model),
        stitching=stitching,
        output=Output(),
        groundtruth=PinnedGroundTruth(node=volume.node, instance="groundtruth"),
        gate=GatePolicy(),
        max_failed_share=0.0,
        code=code_versions(),
    )
