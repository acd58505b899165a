"""How much each preset learns. The numbers are fixed: thresholds chosen on each training set transfer worse."""

from __future__ import annotations

from dataclasses import dataclass

from emseg.errors import PermanentError
from emseg.segment.features import FeatureBank, ImageFeatures, Scale
from emseg.training.boundary import BoundarySettings
from emseg.training.edges import EdgeSettings

_GRAY = FeatureBank(
    images=(
        ImageFeatures(
            image="gray",
            scales=(
                Scale(sigma_nm=7),
                Scale(sigma_nm=10, structure_nm=20),
                Scale(sigma_nm=16, structure_nm=32),
                Scale(sigma_nm=35),
                Scale(sigma_nm=50),
            ),
        ),
    )
)
_CONTEXT = FeatureBank(
    images=(
        ImageFeatures(
            image="probability",
            scales=(Scale(sigma_nm=10, structure_nm=20), Scale(sigma_nm=20), Scale(sigma_nm=40), Scale(sigma_nm=70)),
        ),
        ImageFeatures(image="gray", scales=(Scale(sigma_nm=7), Scale(sigma_nm=16), Scale(sigma_nm=40))),
    )
)


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of the pixel classifier and of the agglomeration."""

    boundary: BoundarySettings
    edges: EdgeSettings


_SETTINGS = {
    "default": TrainingSettings(BoundarySettings((_GRAY,), samples=600_000, trees=200), EdgeSettings()),
    "best": TrainingSettings(BoundarySettings((_GRAY, _CONTEXT), samples=600_000, trees=200), EdgeSettings()),
}


def training_settings(preset: str) -> TrainingSettings:
    """What `emseg train --preset` means; PermanentError for a preset that is not trained."""
    if preset not in _SETTINGS:
        raise PermanentError(
            "choosing what to train",
            preset,
            "this preset is not trained",
            f"Trained presets: {', '.join(sorted(_SETTINGS))}",
        )
    return _SETTINGS[preset]
