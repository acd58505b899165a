"""Which steps segment a subvolume: names and parameters, nothing that runs. `emseg.segment` makes a pipeline of it."""

from __future__ import annotations

from pydantic import Field, JsonValue, model_validator

from emseg.config.base import Model, Name


class StepConfig(Model):
    """A step by its registered short name, with the parameters that differ from its defaults."""

    name: Name
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class PipelineConfig(Model):
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
