"""Named pipelines, as data: what `preset:` in a dataset file means."""

from __future__ import annotations

from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.errors import PermanentError

_TRAINED = ("default", "best")
"""Trained presets: the same steps, with models that were trained with different effort."""


def _trained() -> PipelineConfig:
    return PipelineConfig(
        mask=StepConfig(name="empty-region"),
        predict=StepConfig(name="pixel-classifier"),
        supervoxels=StepConfig(name="dt-watershed"),
        agglomerate=StepConfig(name="learned-edges"),
    )


_PRESETS: dict[str, PipelineConfig] = {
    "classical": PipelineConfig(
        mask=StepConfig(name="empty-region"),
        predict=StepConfig(name="inverted-grayscale"),
        supervoxels=StepConfig(name="dt-watershed"),
        agglomerate=StepConfig(name="mean-boundary"),
    ),
    **dict.fromkeys(_TRAINED, _trained()),
}


def preset_names() -> list[str]:
    """Names of the presets, sorted."""
    return sorted(_PRESETS)


def trained_preset_names() -> list[str]:
    """Names of the presets that need a model, sorted; `emseg train` makes one for each."""
    return sorted(_TRAINED)


def preset(name: str) -> PipelineConfig:
    """The pipeline called `name`; PermanentError that lists the known names where there is none."""
    if name not in _PRESETS:
        raise PermanentError(
            "looking up a segmentation preset", name, "no preset has this name", f"Known: {', '.join(preset_names())}"
        )
    return _PRESETS[name]
