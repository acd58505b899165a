"""Runs the configured steps on one padded subvolume: grayscale in, labels and statistics out.

Everything a result depends on is in `Pipeline.pinned`; nothing else (clock, thread count, place) may enter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import fastremap
import numpy as np

from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.config.runspec import PinnedStep
from emseg.errors import PermanentError, StepError
from emseg.segment.checks import STEP_FAULTS, checked, step_fault
from emseg.segment.protocol import Gray, Labels, Mask, Probability, StepKind
from emseg.segment.registry import make_step

MAX_LABELS = (1 << 24) - 1
"""Labels of one subvolume: a supervoxel id keeps 24 bits for them, and 0 is no label."""


@dataclass(frozen=True, eq=False)
class SubvolumeSegmentation:
    """Labels 1..n in order of first appearance (C order), uint32 ZYX, 0 where masked; and what was counted."""

    labels: Labels
    statistics: Mapping[str, int | float]


Statistics = dict[str, int | float]


class Pipeline:
    """The steps of a `PipelineConfig`, made once and run on any number of subvolumes."""

    def __init__(self, config: PipelineConfig) -> None:
        """PermanentError for an unknown step or a wrong parameter."""
        chosen = ((kind, getattr(config, kind.value)) for kind in StepKind)
        self._steps = {kind: make_step(kind, step) for kind, step in chosen if step is not None}

    @classmethod
    def from_pinned(cls, pinned: Iterable[PinnedStep]) -> Pipeline:
        """The pipeline a run was planned with; PermanentError when this code has another version of a step."""
        steps = list(pinned)
        pipeline = cls(PipelineConfig(**{s.kind: StepConfig(name=s.name, parameters=s.parameters) for s in steps}))
        for planned, present in zip(steps, pipeline.pinned, strict=True):
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
    def halo_vox(self) -> int:
        """Reach of all steps together: the least halo with which a core voxel is computed as in the whole volume."""
        return sum(step.halo_vox for step in self._steps.values())

    @property
    def bytes_per_voxel(self) -> int:
        """Peak memory for each computed voxel: the hungriest step, and what the pipeline holds meanwhile."""
        held = 1 + 1 + 4 + 4 + 4  # gray, mask, probability, supervoxels, labels
        return held + max(step.bytes_per_voxel for step in self._steps.values())

    def segment_subvolume(self, gray: Gray, roi_mask: Mask) -> SubvolumeSegmentation:
        """Segment one padded subvolume.

        `gray` is uint8 ZYX, `roi_mask` bool of the same shape (True: segment here). PermanentError for other arrays;
        StepError when a step breaks its contract or finds more than `MAX_LABELS` labels.
        """
        _check_input(gray, roi_mask)
        gray = np.ascontiguousarray(gray)
        mask = self._run(StepKind.MASK, gray.shape, lambda step: step.mask(gray)) & roi_mask
        if not mask.any():
            return SubvolumeSegmentation(
                np.zeros(gray.shape, np.uint32), {"voxels": gray.size, "masked_voxels": gray.size, "segments": 0}
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
            },
        )

    def _labelled(self, gray: Gray, mask: Mask) -> tuple[Labels, Statistics]:
        """Labels before masking and renumbering, and what the steps on the way found."""
        shape = gray.shape
        if StepKind.SEGMENT in self._steps:
            return self._run(StepKind.SEGMENT, shape, lambda step: step.segment(gray, mask)), {}
        probability: Probability = self._run(StepKind.PREDICT, shape, lambda step: step.predict(gray, mask))
        supervoxels: Labels = self._run(StepKind.SUPERVOXELS, shape, lambda step: step.supervoxels(probability, mask))
        supervoxels[~mask] = 0
        found: Statistics = {
            "supervoxels": len(fastremap.unique(supervoxels[mask])),
            "boundary_mean": round(float(probability[mask].mean(dtype=np.float64)), 6),
        }
        labels = self._run(StepKind.AGGLOMERATE, shape, lambda step: step.agglomerate(gray, probability, supervoxels))
        return labels, found

    def _run(self, kind: StepKind, shape: tuple[int, ...], call: Callable[[Any], Any]) -> Any:
        step = self._steps[kind]
        try:
            output = call(step)
        except STEP_FAULTS as error:
            raise step_fault(
                step, f"raised {type(error).__name__}: {error}", "Mend the step, or choose another"
            ) from error
        return checked(step, output, shape)

    def _renumbered(self, labels: Labels, mask: Mask) -> Labels:
        labels = np.where(mask, labels, np.uint32(0))
        renumbered, new_of_old = fastremap.renumber(labels, preserve_zero=True, in_place=True)
        count = len(new_of_old) - (0 in new_of_old)
        if count > MAX_LABELS:
            raise StepError(
                "numbering the labels of a subvolume",
                f"steps {', '.join(f'{step.kind} {step.name}' for step in self.pinned)}",
                f"{count} labels, but ids have room for {MAX_LABELS}",
                "Use smaller subvolumes or steps that make larger pieces",
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
