"""Parameters of emseg's own steps: what a dataset file may set, and what the trigger form shows.

A DAG file loads this module, but not the steps: those load the libraries that they compute with.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from emseg.config.base import Record


class EmptyRegionParameters(Record):
    """Which gray levels are padding, and how thick it must be."""

    levels: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        default=(0, 255), max_length=256, description="Gray levels written where nothing was imaged, 0-255"
    )
    thickness_vox: int = Field(default=3, ge=1, le=15, description="Odd side of the smallest padding cube, voxels")


class InvertedGrayscaleParameters(Record):
    """A fixed curve from gray to probability, so that a voxel's value never depends on the subvolume it is in."""

    sigma_nm: float = Field(default=10, ge=2, le=200, description="Gaussian smoothing against noise, nm")
    center_gray: float = Field(default=125, ge=0, le=255, description="Gray level of probability 0.5")
    width_gray: float = Field(default=12, gt=0, le=128, description="Gray levels from probability 0.5 to 0.27 and 0.73")


class PixelClassifierParameters(Record):
    """None: everything that shapes the result is in the model."""


class Provider(StrEnum):
    """Where the network runs."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


class OnnxNetworkParameters(Record):
    """Where the network runs; what it is stands in the model."""

    provider: Provider = Field(default=Provider.CPU, description="cpu, cuda or tensorrt")


class DtWatershedParameters(Record):
    """Where the insides of cells are, how seeds are found, and which supervoxels are too small to keep."""

    boundary_min: float = Field(default=0.4, gt=0, lt=1, description="A voxel at or above this probability is boundary")
    distance_cap_nm: float = Field(default=80, ge=4, le=2000, description="Distances beyond this are equal, nm")
    smoothing_nm: float = Field(default=15, ge=2, le=500, description="Gaussian sigma for the distance, nm")
    distance_weight: float = Field(
        default=0.2, ge=0, le=1, description="Share of the distance in the flooded height; the rest is probability"
    )
    min_size_nm3: float = Field(
        default=50_000,
        ge=0,
        description="Smaller supervoxels are given to their neighbours, nm^3 (1000 are 10 x 10 x 10)",
    )


class MeanBoundaryParameters(Record):
    """Where joining stops."""

    threshold: float = Field(
        default=0.75, ge=0, le=1, description="Supervoxels are joined while their mean boundary probability is below"
    )


class LearnedEdgesParameters(Record):
    """None: everything that shapes the result is in the model."""


STEP_PARAMETERS: dict[str, type[Record]] = {
    "empty-region": EmptyRegionParameters,
    "inverted-grayscale": InvertedGrayscaleParameters,
    "pixel-classifier": PixelClassifierParameters,
    "onnx-network": OnnxNetworkParameters,
    "dt-watershed": DtWatershedParameters,
    "mean-boundary": MeanBoundaryParameters,
    "learned-edges": LearnedEdgesParameters,
}
"""By the short name of the step."""
