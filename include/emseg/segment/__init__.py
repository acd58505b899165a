"""Segmentation of one subvolume: the step protocol, the built-in steps, and the pipeline that runs them on arrays."""

from emseg.config.presets import preset, preset_names
from emseg.segment.pipeline import MAX_LABELS, Pipeline, SubvolumeSegmentation
from emseg.segment.protocol import Step, StepKind
from emseg.segment.registry import step_class, step_names

__all__ = [
    "MAX_LABELS",
    "Pipeline",
    "Step",
    "StepKind",
    "SubvolumeSegmentation",
    "preset",
    "preset_names",
    "step_class",
    "step_names",
]
