"""Which steps segment a subvolume: names and parameters, nothing that runs. `emseg.segment` makes a pipeline of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from emseg.config.base import Name, Record
from emseg.errors import PermanentError

ModelDigest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""A model folder, by the SHA-256 of what is in it."""


class Isolation(Record):
    """Limits of a step that runs in a child process, so that one that hangs or eats memory fails alone."""

    timeout_s: float = Field(
        default=3600, gt=0, le=7 * 86_400, description="The child is killed after this time, seconds"
    )
    memory_mb: int = Field(default=8192, ge=256, le=2**24, description="Address space that the child may have, MiB")


class StepConfig(Record):
    """A step by its registered short name, with the parameters that differ from its defaults.

    `model` is for steps that were trained; without it they use the model of the dataset.
    """

    name: Name
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    model: ModelDigest | None = None
    isolation: Isolation | None = None


class PipelineConfig(Record):
    """Steps in order; `segment` stands in place of predict, supervoxels and agglomerate."""

    mask: StepConfig
    predict: StepConfig | None = None
    supervoxels: StepConfig | None = None
    agglomerate: StepConfig | None = None
    segment: StepConfig | None = None

    @model_validator(mode="after")
    def _one_way_to_labels(self) -> PipelineConfig:
        chain = [self.predict, self.supervoxels, self.agglomerate]
        if self.segment is None and None in chain:
            raise ValueError("give predict, supervoxels and agglomerate, or segment in place of all three")
        if self.segment is not None and chain != [None, None, None]:
            raise ValueError("segment replaces predict, supervoxels and agglomerate: give one or the other")
        return self


def with_parameters(pipeline: PipelineConfig, parameters: Mapping[str, dict[str, JsonValue]]) -> PipelineConfig:
    """`pipeline` with other parameters for the steps of the kinds named; PermanentError for a kind that it has not."""
    steps: dict[str, StepConfig] = {}
    for kind, values in parameters.items():
        step = getattr(pipeline, kind, None) if kind in PipelineConfig.model_fields else None
        if step is None:
            present = [name for name in PipelineConfig.model_fields if getattr(pipeline, name) is not None]
            raise PermanentError(
                "choosing the parameters of steps",
                f"step_parameters.{kind}",
                "the pipeline has no step of this kind",
                f"Kinds of this pipeline: {', '.join(present)}",
            )
        steps[kind] = step.model_copy(update={"parameters": {**step.parameters, **values}})
    return pipeline.model_copy(update=steps)
