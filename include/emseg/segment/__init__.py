"""Segmentation of one subvolume: the step protocol, the built-in steps, and the pipeline that runs them on arrays."""

from emseg.config.presets import preset, preset_names
from emseg.segment.model import ModelDescription, ModelFolder
from emseg.segment.pipeline import MAX_LABELS, ModelSource, Pipeline, SubvolumeSegmentation, with_model, without_models
from emseg.segment.protocol import Setting, Step, StepKind
from emseg.segment.registry import step_class, step_names

__all__ = [
    "MAX_LABELS",
    "ModelDescription",
    "ModelFolder",
    "ModelSource",
    "Pipeline",
    "Setting",
    "Step",
    "StepKind",
    "SubvolumeSegmentation",
    "preset",
    "preset_names",
    "step_class",
    "step_names",
    "with_model",
    "without_models",
]
