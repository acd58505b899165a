"""What runs on one subvolume: from grayscale and a mask to labels, arrays in and arrays out.

Start with `protocol.py`, which says what a step is, then `pipeline.py`, which runs the steps in order. `registry.py`
finds steps by name: emseg's own in `steps/`, and those of packages that the deployment allows. `running.py` runs one
step, in a child process (`isolation.py`) where the configuration asks for it; `contract.py` checks what it returns.
`image_checks/` treats faults of the image before any step runs. `model.py` is the folder of a trained model, and
`fingerprint.py` recognises its training voxels. The other files are the algorithms of the built-in steps.
Authors of steps find their tools in `emseg.authoring`; models are made in `emseg.training`.
"""

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
