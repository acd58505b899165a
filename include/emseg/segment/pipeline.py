"""Runs the configured steps on one padded subvolume: grayscale in, labels and statistics out.

A result depends on the voxels and on `Pipeline.pinned`, and on nothing else: no clock, no thread count, no position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import fastremap
import numpy as np

from emseg.config.checks import ImageChecks
from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.config.runspec import PinnedSegmentation, PinnedStep
from emseg.errors import PermanentError, StepError
from emseg.geometry import MAX_LOCAL, ORIGIN, Box, Coordinate, VoxelSize
from emseg.segment.image_checks.checks import checked_image, context
from emseg.segment.image_checks.fault import EVERYWHERE, Slices
from emseg.segment.image_checks.texture import SECTION as TEXTURE
from emseg.segment.image_checks.texture import TextureStatistics
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Gray, Labels, Margin, Mask, Probability, Setting, StepKind
from emseg.segment.registry import step_class
from emseg.segment.running import PreparedStep

MAX_LABELS = MAX_LOCAL
"""Labels of one subvolume, as many as a supervoxel id has room for."""


@dataclass(frozen=True, eq=False)
class SubvolumeSegmentation:
    """Labels 1..n in order of first appearance (C order), uint32 ZYX, 0 where masked; and the counts of the steps."""

    labels: Labels
    statistics: Statistics


Statistics = Mapping[str, int | float | str]
ModelSource = Callable[[str], ModelFolder]
"""Gives the model with a digest; PermanentError if there is none."""


def without_models(digest: str) -> ModelFolder:
    """The source that has no model at all."""
    raise PermanentError("looking up a model", digest, "no model was given", "Name a folder or a store that holds it")


class Pipeline:
    """The steps of a `PipelineConfig`, made once and run on any number of subvolumes."""

    def __init__(
        self,
        config: PipelineConfig,
        voxel_size_nm: VoxelSize,
        models: ModelSource = without_models,
        checks: ImageChecks | None = None,
    ) -> None:
        """PermanentError for an unknown step, a wrong parameter, or a model that does not fit its step."""
        chosen = ((kind, getattr(config, kind.value)) for kind in StepKind)
        self._voxel_size_nm, self._checks = voxel_size_nm, checks or ImageChecks()
        self._steps = {
            kind: PreparedStep.made(kind, step, Setting(voxel_size_nm, models(step.model) if step.model else None))
            for kind, step in chosen
            if step is not None
        }
        self._texture = _texture_of(self._steps.values())

    @classmethod
    def from_pinned(cls, pinned: PinnedSegmentation, voxel_size_nm: VoxelSize, models: ModelSource) -> Pipeline:
        """The pipeline that a run was planned with; PermanentError if this code has another version of a step."""
        fields = ("name", "parameters", "model", "isolation")
        steps = {s.kind: StepConfig(**{field: getattr(s, field) for field in fields}) for s in pinned.steps}
        pipeline = cls(PipelineConfig(**steps), voxel_size_nm, models, pinned.checks)
        for planned, present in zip(pinned.steps, pipeline.pinned, strict=True):
            if planned != present:
                raise PermanentError(
                    "preparing the segmentation steps",
                    f"{planned.kind} step {planned.name}",
                    f"planned {planned.model_dump_json()}, but this code has {present.model_dump_json()}",
                    "Run planner and workers from the same release, or start a new run",
                )
        return pipeline

    @property
    def pinned(self) -> tuple[PinnedStep, ...]:
        """The steps in the order they run, with versions and all parameters."""
        return tuple(step.pinned for step in self._steps.values())

    @property
    def halo_vox(self) -> Margin:
        """The halos of all steps added up: with this halo, a core voxel is computed as in the whole volume."""
        return sum((Coordinate.of(step.halo_vox) for step in self._steps.values()), ORIGIN)

    @property
    def bytes_per_voxel(self) -> int:
        """Peak memory for each computed voxel: that of the largest step, and what the pipeline holds meanwhile."""
        held = 1 + 1 + 4 + 4 + 4  # gray, mask, probability, supervoxels, labels
        return held + max(step.bytes_per_voxel for step in self._steps.values())

    def context(self, padded: Box, bounds: Box) -> Box:
        """The box to read for a padded box: larger, because the image checks look farther than the steps."""
        return context(padded, bounds, self._voxel_size_nm)

    def segment_subvolume(self, gray: Gray, roi_mask: Mask, inside: Slices = EVERYWHERE) -> SubvolumeSegmentation:
        """Segment one padded subvolume: the part `inside` of `gray`, which also has the context of the image checks.

        `gray` is uint8 ZYX, `roi_mask` bool of the same shape, True for voxels to segment. PermanentError for other
        arrays; StepError when a step breaks its contract or finds more than `MAX_LABELS` labels.
        """
        _check_input(gray, roi_mask)
        image = checked_image(
            np.ascontiguousarray(gray), roi_mask, self._voxel_size_nm, self._checks, self._texture, inside
        )
        findings: Statistics = {
            **{f"finding.{name}": text for name, text in image.findings.items()},
            "quarantined": int(image.quarantined),
        }
        gray = image.gray
        mask = self._steps[StepKind.MASK].run(gray) & image.mask
        if not mask.any():
            return SubvolumeSegmentation(
                np.zeros(gray.shape, np.uint32),
                {"voxels": gray.size, "masked_voxels": gray.size, "segments": 0, **findings},
            )
        raw, found = self._labelled(gray, mask)
        labels = self._renumbered(raw, mask)
        sizes = np.bincount(labels.ravel())[1:]
        return SubvolumeSegmentation(
            labels,
            {
                "voxels": gray.size,
                "masked_voxels": int(gray.size - mask.sum()),
                **found,
                "segments": len(sizes),
                "largest_segment_voxels": int(sizes.max(initial=0)),
                **findings,
            },
        )

    def _labelled(self, gray: Gray, mask: Mask) -> tuple[Labels, Statistics]:
        """Labels before masking and renumbering, and the counts of the steps before."""
        if StepKind.SEGMENT in self._steps:
            return self._steps[StepKind.SEGMENT].run(gray, mask), {}
        probability: Probability = self._steps[StepKind.PREDICT].run(gray, mask)
        supervoxels: Labels = self._steps[StepKind.SUPERVOXELS].run(probability, mask)
        supervoxels[~mask] = 0
        found: Statistics = {
            "supervoxels": len(fastremap.unique(supervoxels[mask])),
            "boundary_mean": round(float(probability[mask].mean(dtype=np.float64)), 6),
        }
        return self._steps[StepKind.AGGLOMERATE].run(gray, probability, supervoxels), found

    def _renumbered(self, labels: Labels, mask: Mask) -> Labels:
        labels = np.where(mask, labels, np.uint32(0))
        renumbered, new_of_old = fastremap.renumber(labels, preserve_zero=True, in_place=True)
        count = len(new_of_old) - (0 in new_of_old)
        if count > MAX_LABELS:
            raise StepError(
                "numbering the labels of a subvolume",
                f"steps {', '.join(f'{step.kind} {step.name}' for step in self.pinned)}",
                f"{count} labels, but ids have room for {MAX_LABELS}",
                "Use smaller subvolumes, or steps that make larger supervoxels",
            )
        return np.ascontiguousarray(renumbered, dtype=np.uint32)


def _check_input(gray: Gray, roi_mask: Mask) -> None:
    if gray.ndim != 3 or gray.dtype != np.uint8 or roi_mask.shape != gray.shape or roi_mask.dtype != np.bool_:
        raise PermanentError(
            "segmenting a subvolume",
            f"gray {gray.dtype} {gray.shape}, mask {roi_mask.dtype} {roi_mask.shape}",
            "not a uint8 volume with a bool mask of the same shape",
            "Give 3-D arrays, ZYX",
        )


def _texture_of(steps: Iterable[PreparedStep]) -> TextureStatistics | None:
    """Texture of the training data, from the first model that has it."""
    models = [step.step.setting.model for step in steps if step.step.setting.model is not None]
    known = (model for model in models if TEXTURE in model.description.sections)
    return next((model.section(TEXTURE, TextureStatistics) for model in known), None)


def with_model(config: PipelineConfig, model: str | None) -> PipelineConfig:
    """`config` with `model` (a digest) for each trained step that names none; PermanentError if it is None then."""
    steps: dict[str, StepConfig] = {}
    for kind in StepKind:
        step = getattr(config, kind.value)
        if step is not None and step.model is None and step_class(kind, step.name).needs_model:
            if model is None:
                raise PermanentError(
                    "preparing the segmentation steps",
                    f"{kind.value} step {step.name}",
                    "it was trained, and no model is named",
                    "Train one (emseg train) and name it: segmentation.model in the dataset file, or --model",
                )
            steps[kind.value] = step.model_copy(update={"model": model})
    return config.model_copy(update=steps)
