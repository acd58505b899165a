"""Whether a model can be used at all: each section is read as the step or check that is meant for it will read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from emseg.segment.boundary import SECTION as BOUNDARY
from emseg.segment.fingerprint import SECTION as FINGERPRINTS
from emseg.segment.fingerprint import Fingerprints
from emseg.segment.image_checks.texture import SECTION as TEXTURE
from emseg.segment.image_checks.texture import TextureStatistics
from emseg.segment.learned_linkage import SECTION as EDGES
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Setting, Step
from emseg.segment.steps.learned_edges import LearnedEdges
from emseg.segment.steps.onnx_network import SECTION as NETWORK
from emseg.segment.steps.onnx_network import OnnxNetwork
from emseg.segment.steps.pixel_classifier import PixelClassifier

_STEPS: Mapping[str, type[Step[Any]]] = {BOUNDARY: PixelClassifier, EDGES: LearnedEdges, NETWORK: OnnxNetwork}
_RECORDS: Mapping[str, type[BaseModel]] = {FINGERPRINTS: Fingerprints, TEXTURE: TextureStatistics}


def check_model(model: ModelFolder) -> None:
    """PermanentError as `pin` would raise it, for a run of the model's own voxel size on a CPU.

    Sections of other packages' steps are not looked at.
    """
    setting = Setting(model.description.voxel_size_nm, model)
    for section in model.description.sections:
        if section in _STEPS:
            step = _STEPS[section]
            step(step.Parameters(), setting)
        elif section in _RECORDS:
            model.section(section, _RECORDS[section])
