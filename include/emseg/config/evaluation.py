"""What a person chooses for an evaluation of any two labelmaps, and what the task `pin` makes of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from emseg.config.base import Core3, InstanceName, Position, Position3, Record, VoxelSizeNm
from emseg.config.groundtruth import Counting
from emseg.config.runspec import PinnedBox

InstanceReference = Annotated[
    str, Field(pattern=r"^[0-9a-f]{4,32}(:[A-Za-z0-9_-]{1,63})?:[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
]
"""NODE:INSTANCE, where NODE is a UUID, a unique prefix of one, or `UUID:branch`: `3f2a:master:segmentation`."""

BoxCorners = tuple[Position, Position, Position, Position, Position, Position]
"""Z0, Y0, X0, Z1, Y1, X1: voxels, half-open."""


class EvaluationParameters(Counting):
    """The form of the DAG `evaluate_segmentation`, and the options of `emseg evaluate` for labelmaps in DVID."""

    segmentation: InstanceReference = Field(
        description="Labelmap to measure, NODE:INSTANCE; NODE is a committed UUID, or UUID:branch"
    )
    groundtruth: InstanceReference = Field(description="Labelmap to measure against, NODE:INSTANCE; 0 does not count")
    roi: InstanceReference | None = Field(default=None, description="DVID ROI to stay inside, NODE:INSTANCE")
    box: BoxCorners | None = Field(
        default=None, description="Box to stay inside: Z0, Y0, X0, Z1, Y1, X1, voxels of scale 0, half-open"
    )
    leave_out: tuple[BoxCorners, ...] = Field(
        default=(), max_length=1000, description="Boxes that do not count, for example where a model was trained"
    )
    segmentation_supervoxels: bool = Field(default=False, description="Measure supervoxels in place of bodies")
    groundtruth_supervoxels: bool = Field(default=False, description="Measure against supervoxels in place of bodies")
    core_vox: Core3 = Field(default=(256, 256, 256), description="Subvolume, voxels Z Y X, multiples of 64")


def box_of(corners: BoxCorners) -> PinnedBox:
    """The box of six numbers."""
    return PinnedBox(start=corners[:3], stop=corners[3:])


class PinnedInstance(Record):
    """An instance of a locked node."""

    node: str
    instance: InstanceName

    def __str__(self) -> str:
        return f"{self.node}:{self.instance}"


class EvaluationSpec(Record):
    """An evaluation with every reference pinned. The node of each instance is a full UUID of a locked node.

    What lies in `start` to `stop` and in the ROI is measured. `extents` is where the ground truth has labels: a band at
    boundaries is seen beyond the region, too. `grayscale` is for links. `code` is the code version of the phase.
    """

    server: str
    segmentation: PinnedInstance
    groundtruth: PinnedInstance
    segmentation_supervoxels: bool
    groundtruth_supervoxels: bool
    counting: Counting
    leave_out: tuple[PinnedBox, ...]
    start: Position3
    stop: Position3
    extents: PinnedBox
    roi: PinnedInstance | None
    roi_digest: str
    voxel_size_nm: VoxelSizeNm
    core_vox: Core3
    grayscale: InstanceName | None
    code: str
