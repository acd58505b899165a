"""RunSpec: one run with every reference pinned, written once by the task `pin` and read by every later task.

Nothing in it is a secret, and nothing in it moves: full UUIDs of locked nodes, the steps with their versions and
parameters, the digest of the ROI, the version of the code. Phase keys are computed from parts of it.
"""

from __future__ import annotations

import json
from hashlib import sha256

from pydantic import Field, JsonValue, model_validator

from emseg.config.base import InstanceName, Name, Position3, Record, VoxelSizeNm
from emseg.config.checks import ImageChecks
from emseg.config.dataset import Output, Publication
from emseg.config.edits import Edits
from emseg.config.gate import GatePolicy
from emseg.config.groundtruth import Counting, SkeletonUnit, SynapseCounting, has_bodies_at_synapses
from emseg.config.pipeline import Isolation, ModelDigest
from emseg.config.resources import JobResources
from emseg.config.stitching import Stitching
from emseg.geometry import Box

SCHEMA = 1


class PinnedVolume(Record):
    """Grayscale of a locked node: `bounds_start`/`bounds_stop` are its true extents, voxels ZYX, half-open."""

    root: str
    node: str
    grayscale: InstanceName
    bounds_start: Position3
    bounds_stop: Position3
    voxel_size_nm: VoxelSizeNm
    roi: InstanceName | None
    roi_digest: str

    @property
    def bounds(self) -> Box:
        """Extents of the grayscale as a box."""
        return Box(self.bounds_start, self.bounds_stop)

    @property
    def region(self) -> str:
        """Digest of the voxels that a run segments and measures: equal for equal extents and equal ROIs."""
        return digest_of([[*self.bounds_start], [*self.bounds_stop], self.roi_digest])


class PinnedStep(Record):
    """A step as it will run: name, version, all parameters (defaults included) and the model it was trained to."""

    kind: str
    name: Name
    version: int
    package: str = Field(description="Package that the step comes from, with its version; emseg's own have none")
    parameters: dict[str, JsonValue]
    model: ModelDigest | None
    isolation: Isolation | None


class PinnedSegmentation(Record):
    """The grid, the steps and the image checks."""

    core_vox: tuple[int, int, int]
    halo_vox: tuple[int, int, int]
    steps: tuple[PinnedStep, ...]
    checks: ImageChecks


class PinnedBox(Record):
    """A half-open box of voxels, Z Y X."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def box(self) -> Box:
        """The same, for arithmetic."""
        return Box(self.start, self.stop)


class PinnedSynapses(SynapseCounting):
    """An annotation instance of a locked node."""

    node: str
    instance: InstanceName


class PinnedSkeletons(Record):
    """A keyvalue instance of a locked node."""

    node: str
    instance: InstanceName
    unit: SkeletonUnit


class PinnedGroundTruth(Counting):
    """A labelmap of a locked node; in the `excluded` boxes the models of the run were trained, so they do not count."""

    node: str
    instance: InstanceName
    excluded: tuple[PinnedBox, ...] = ()
    synapses: PinnedSynapses | None = None
    skeletons: PinnedSkeletons | None = None

    @model_validator(mode="after")
    def _has_bodies_at_synapses(self) -> PinnedGroundTruth:
        has_bodies_at_synapses(self.components, self.synapses)
        return self


class TwoLabelmaps(Record):
    """How an evaluation of any two labelmaps differs from that of a run.

    Either may be read as supervoxels. `extents` is where the ground truth has labels, in the evaluated region or not.
    """

    segmentation_supervoxels: bool
    groundtruth_supervoxels: bool
    extents: PinnedBox


class PinnedFigure(Record):
    """A number that a metric gives; `worse` is 1 where more is worse, -1 where less is."""

    name: Name
    title: str
    unit: str
    worse: int


class PinnedMetric(Record):
    """A metric of a package as it will run, with all that tasks need to know of it which do not run it."""

    name: Name
    version: int
    package: str = Field(description="Package that the metric comes from, with its version")
    figures: tuple[PinnedFigure, ...]


class PinnedRelease(Record):
    """The release that is served while the run is pinned: the run is compared with it, and may replace no other one.

    `region` is the `PinnedVolume.region` of the run that made it; empty where the spec of that run cannot be read.
    """

    number: int
    root: str
    node: str
    instance: InstanceName
    fingerprint: str = Field(description="Key of phase `write` of the run that made it")
    region: str = ""
    figures: dict[str, float] = Field(
        default_factory=dict, description="What was counted over all of it, as its record tells"
    )


class RunSpec(Record):
    """Everything later tasks need to know, and all they may know."""

    schema_version: int = Field(default=SCHEMA, ge=SCHEMA, le=SCHEMA)
    dataset: Name
    run: str
    volume: PinnedVolume
    segmentation: PinnedSegmentation
    stitching: Stitching
    edits: Edits = Edits()
    output: Output
    groundtruth: PinnedGroundTruth | None
    two_labelmaps: TwoLabelmaps | None = None
    metrics: tuple[PinnedMetric, ...] = ()
    served: PinnedRelease | None = None
    gate: GatePolicy
    max_failed_share: float
    publication: Publication = Publication.AUTOMATIC
    approvers: tuple[str, ...] = ()
    spark: dict[Name, JobResources] = Field(default_factory=dict, description="By stage")
    code: dict[str, str]


def canonical_json(document: JsonValue) -> bytes:
    """One spelling for one value: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(document: JsonValue) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return sha256(canonical_json(document)).hexdigest()
