"""What a segmentation step is: one abstract class a kind, each with a single method from arrays to an array.

A step gets the voxels of one padded subvolume (core + halo), ZYX and C-contiguous, and does not learn where they came
from. Lengths are nanometres, and `Setting` has the voxel size. A step must be a pure function of its arguments,
parameters and setting: the same bytes for the same voxels on any machine and with any number of threads. `Pipeline`
runs the steps in order and checks what they return.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import ClassVar, Generic, TypeVar

from emseg import array_types
from emseg.config.base import Record
from emseg.config.pipeline import Isolation
from emseg.config.runspec import PinnedStep
from emseg.errors import PermanentError
from emseg.geometry import VoxelSize
from emseg.segment.model import ModelFolder

Gray = array_types.Gray
Mask = array_types.Mask
Probability = array_types.Probability
Labels = array_types.Labels32


class StepKind(StrEnum):
    """What a step does; a pipeline has at most one step of each kind, and runs them in this order."""

    MASK = "mask"
    PREDICT = "predict"
    SUPERVOXELS = "supervoxels"
    AGGLOMERATE = "agglomerate"
    SEGMENT = "segment"


Margin = tuple[int, int, int]
"""Voxels on each axis, Z Y X."""


@dataclass(frozen=True)
class Setting:
    """What a step is made for: the size of a voxel in nm, Z Y X, and, for a trained step, the model."""

    voxel_size_nm: VoxelSize
    model: ModelFolder | None = None

    def margin(self, length_nm: float) -> Margin:
        """The fewest voxels on each axis that span a length: 50 nm are (2, 13, 13) at 40 x 4 x 4 nm."""
        z, y, x = (ceil(round(length_nm / size, 6)) for size in self.voxel_size_nm)
        return z, y, x

    def in_voxels(self, length_nm: float) -> tuple[float, float, float]:
        """A length in voxels of each axis: 50 nm are (1.25, 12.5, 12.5) at 40 x 4 x 4 nm."""
        z, y, x = (length_nm / size for size in self.voxel_size_nm)
        return z, y, x


P = TypeVar("P", bound=Record)


class Step(ABC, Generic[P]):
    """Base of all steps. Made from its parameters and setting: `Step(Step.Parameters(...), Setting((10, 10, 10)))`."""

    kind: ClassVar[StepKind]
    name: ClassVar[str]
    """Short id in dataset files; unique among the steps of its kind."""
    version: ClassVar[int]
    """To be raised with every change of the output, so that no run takes a stored result of older code."""
    bytes_per_voxel: ClassVar[int]
    """Peak memory that the step allocates for each computed voxel: its output counts, its inputs do not."""
    Parameters: ClassVar[type[Record]]
    """A subclass of `Record`; each field has a default, a description and a unit."""
    needs_model: ClassVar[bool] = False
    """Whether the step was trained; if so, its setting must have a model."""

    def __init__(self, parameters: P, setting: Setting) -> None:
        self.parameters, self.setting = parameters, setting

    @property
    @abstractmethod
    def halo_vox(self) -> Margin:
        """How many voxels away, Z Y X, the computation of one voxel looks."""

    @property
    def model(self) -> ModelFolder:
        """The model of a trained step; PermanentError where the setting has none."""
        if self.setting.model is None:
            raise PermanentError(
                "preparing a segmentation step",
                f"{self.kind.value} step {self.name}",
                "it needs a model, and none was given",
                "Name one: segmentation.model in the dataset file, or --model on the command line",
            )
        return self.setting.model

    def pinned(self, package: str, isolation: Isolation | None) -> PinnedStep:
        """All that the output depends on besides the voxels: version, package, parameters with defaults, model."""
        return PinnedStep(
            kind=self.kind.value,
            name=self.name,
            version=self.version,
            package=package,
            parameters=self.parameters.model_dump(mode="json"),
            model=None if self.setting.model is None else self.setting.model.digest,
            isolation=isolation,
        )


class MaskStep(Step[P]):
    """Decides which voxels are tissue."""

    kind = StepKind.MASK

    @abstractmethod
    def mask(self, gray: Gray) -> Mask:
        """True where a voxel shall be segmented; same shape as `gray`."""


class PredictStep(Step[P]):
    """Finds cell boundaries."""

    kind = StepKind.PREDICT

    @abstractmethod
    def predict(self, gray: Gray, mask: Mask) -> Probability:
        """Probability, 0 to 1, that a voxel lies on a cell boundary; any value outside the mask."""


class SupervoxelStep(Step[P]):
    """Cuts tissue into supervoxels, each small enough to lie in one cell."""

    kind = StepKind.SUPERVOXELS

    @abstractmethod
    def supervoxels(self, probability: Probability, mask: Mask) -> Labels:
        """A label above 0 for each voxel of the mask."""


class AgglomerateStep(Step[P]):
    """Joins supervoxels into bodies."""

    kind = StepKind.AGGLOMERATE

    @abstractmethod
    def agglomerate(self, gray: Gray, probability: Probability, supervoxels: Labels) -> Labels:
        """A label above 0 wherever `supervoxels` has one, equal within each supervoxel."""


class SegmentStep(Step[P]):
    """Does in one step what predict, supervoxels and agglomerate do."""

    kind = StepKind.SEGMENT

    @abstractmethod
    def segment(self, gray: Gray, mask: Mask) -> Labels:
        """A label for each voxel of the mask; 0 leaves a voxel unassigned."""
