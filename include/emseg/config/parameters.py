"""What a person may choose for one run, in the Airflow form or on the command line; nothing else is a run parameter.

The gate's limits are deliberately not here: they belong to the dataset file, so that a run cannot loosen its own gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, JsonValue, WithJsonSchema

from emseg.config.base import Core3, InstanceName, Margin3, Name, NodeReference, Record, validated
from emseg.config.dataset import Dataset, Publication
from emseg.config.pipeline import ModelDigest, with_parameters
from emseg.config.presets import preset
from emseg.config.stitching import StitchMode
from emseg.errors import PermanentError


class RunParameters(Record):
    """Choices for one run; what is left empty comes from the dataset file."""

    dataset: Name = Field(description="Dataset file under include/datasets")
    dry_run: bool = Field(default=False, description="Pin and plan only: show what would run, submit nothing")
    node: NodeReference | None = Field(default=None, description="DVID version to segment: UUID, or UUID:branch")
    roi: InstanceName | None = Field(default=None, description="DVID ROI instance to stay inside")
    preset: Name | None = Field(default=None, description="Named pipeline of segmentation steps")
    model: ModelDigest | None = Field(default=None, description="Model of the trained steps: digest of a model folder")
    stitch: StitchMode | None = Field(default=None, description="Which overlaps join bodies across subvolumes")
    step_parameters: dict[str, dict[str, Annotated[JsonValue, WithJsonSchema({})]]] | None = Field(
        default=None, description="Parameters of single steps, by kind: {kind: {parameter: value}}"
    )
    core_vox: Core3 | None = Field(default=None, description="Subvolume core, voxels Z Y X, multiples of 64")
    halo_vox: Margin3 | None = Field(default=None, description="Halo around each core, voxels Z Y X")
    publication: Publication | None = Field(
        default=None, description="What publishes a result that the gate passes; only stricter than in the file"
    )

    def applied_to(self, dataset: Dataset) -> Dataset:
        """The dataset with this run's choices in place of its own."""
        volume = _updated(dataset.volume, node=self.node, roi=self.roi)
        segmentation = dataset.segmentation
        if self.preset is not None:
            # Other steps, so the dataset's own pipeline and the halo that it was given for do not count.
            segmentation = segmentation.model_copy(update={"pipeline": None, "halo_vox": None})
        segmentation = _updated(
            segmentation, preset=self.preset, model=self.model, core_vox=self.core_vox, halo_vox=self.halo_vox
        )
        if self.step_parameters:
            pipeline = segmentation.pipeline or preset(segmentation.preset)
            segmentation = _updated(segmentation, pipeline=with_parameters(pipeline, self.step_parameters))
        stitching = _updated(dataset.stitching, mode=self.stitch)
        publication = self._publication(dataset)
        sections = {"volume": volume, "segmentation": segmentation, "stitching": stitching, "publication": publication}
        return dataset.model_copy(update=sections)

    def _publication(self, dataset: Dataset) -> Publication:
        """The chosen one; PermanentError where it is looser than that of the dataset file."""
        chosen = self.publication or dataset.publication
        if dataset.publication.is_stricter_than(chosen):
            raise PermanentError(
                "choosing the parameters of the run",
                f"publication = {chosen}",
                f"the file of dataset {dataset.name} says {dataset.publication}, and a run may only be stricter",
                "Leave publication out, or have the dataset file changed",
            )
        return chosen


def _updated(section: Any, /, **choices: Any) -> Any:
    """The section with the choices that were made; PermanentError where they do not go together with the rest."""
    given = {name: value for name, value in choices.items() if value is not None}
    return validated(type(section), dict(section) | given, "choosing the parameters of the run", _list_of(given))


def _list_of(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r:.80}" for name, value in given.items())
