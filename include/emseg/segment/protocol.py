"""What a segmentation step is: one abstract class a kind, each with a single method from arrays to an array.

A step gets the voxels of one padded subvolume (core + halo), ZYX and C-contiguous, and knows nothing of where they
came from. It must be a pure function of its arguments and parameters: the same bytes for the same voxels, whatever
machine or thread count. `Pipeline` runs steps in order and checks what they return.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from emseg.config.base import Model
from emseg.config.runspec import PinnedStep

Gray = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Probability = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint32]


class StepKind(StrEnum):
    """The place of a step in a pipeline."""

    MASK = "mask"
    PREDICT = "predict"
    SUPERVOXELS = "supervoxels"
    AGGLOMERATE = "agglomerate"
    SEGMENT = "segment"


P = TypeVar("P", bound=Model)


class Step(ABC, Generic[P]):
    """Base of all steps. Made from its parameters: `Step(Step.Parameters(...))`."""

    kind: ClassVar[StepKind]
    name: ClassVar[str]
    """Short id in dataset files; unique among the steps of its kind."""
    version: ClassVar[int]
    """Raised with every change that changes the output, so that no stored result of older code is taken for new."""
    bytes_per_voxel: ClassVar[int]
    """Peak memory the step allocates for each computed voxel, its output included, its inputs not."""
    Parameters: ClassVar[type[Model]]
    """Frozen pydantic model; each field has a default, a description and a unit."""

    def __init__(self, parameters: P) -> None:
        self.parameters = parameters

    @property
    @abstractmethod
    def halo_vox(self) -> int:
        """Voxels around a voxel, on each axis, that its direct computation looks at."""

    @property
    def pinned(self) -> PinnedStep:
        """Kind, name, version and all parameters, defaults included: what the output depends on besides voxels."""
        return PinnedStep(
            kind=self.kind.value,
            name=self.name,
            version=self.version,
            parameters=self.parameters.model_dump(mode="json"),
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
    """Cuts tissue into pieces small enough to lie in one cell each."""

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
    """Stands in place of predict, supervoxels and agglomerate."""

    kind = StepKind.SEGMENT

    @abstractmethod
    def segment(self, gray: Gray, mask: Mask) -> Labels:
        """A label for each voxel of the mask; 0 leaves a voxel unassigned."""
