"""What a step must declare and what it must return.

The registry checks the declarations of a step, and the pipeline every array that a step returns.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.config.base import NAME_PATTERN, Record
from emseg.errors import StepError
from emseg.segment.protocol import Step, StepKind

DTYPE_OF: dict[StepKind, type[np.generic]] = {
    StepKind.MASK: np.bool_,
    StepKind.PREDICT: np.float32,
    StepKind.SUPERVOXELS: np.uint32,
    StepKind.AGGLOMERATE: np.uint32,
    StepKind.SEGMENT: np.uint32,
}

LABELS = frozenset({StepKind.SUPERVOXELS, StepKind.AGGLOMERATE, StepKind.SEGMENT})
CAST_FROM_NEGATIVE = 2**32 - 256
"""Labels from here on are marks like -1 that were cast to uint32: no subvolume has so many labels."""


def checked(step: Step[Any], output: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """`output`, C-contiguous; StepError for another dtype or shape, a prediction that is not from 0 to 1, or a label
    that was below 0.
    """
    expected = DTYPE_OF[step.kind]
    if not isinstance(output, np.ndarray):
        raise step_fault(step, f"returned {type(output).__name__}", f"Return a numpy array of {expected.__name__}")
    if output.dtype != expected or output.shape != shape:
        raise step_fault(
            step,
            f"returned {output.dtype} {output.shape}",
            f"Return {np.dtype(expected)} {shape}, the shape of the subvolume",
        )
    if step.kind is StepKind.PREDICT and not (output.min() >= 0 and output.max() <= 1):
        raise step_fault(
            step, f"probabilities from {output.min():g} to {output.max():g}", "Return finite values from 0 to 1"
        )
    if step.kind in LABELS and output.max(initial=0) >= CAST_FROM_NEGATIVE:
        raise step_fault(
            step,
            f"label {output.max()}, which is what an id below 0 becomes as uint32",
            "Write 0 where there is no label: labels[labels < 0] = 0, before the cast to uint32",
        )
    return np.ascontiguousarray(output)


def step_fault(step: Step[Any], found: str, remedy: str) -> StepError:
    """The error that names a step which broke its contract."""
    return StepError("running a segmentation step", f"{step.kind.value} step {step.name}", found, remedy)


def declaration_faults(step: type[Step[Any]]) -> Iterator[str]:
    """Each fault in the declarations of a step; with such a fault nobody can list the step or plan with it."""
    name = getattr(step, "name", None)
    if not isinstance(getattr(step, "kind", None), StepKind):
        yield "it has no kind: derive it from MaskStep, PredictStep, SupervoxelStep, AgglomerateStep or SegmentStep"
    if not (isinstance(name, str) and re.fullmatch(NAME_PATTERN, name)):
        yield f"its name is {name!r}, not one like {NAME_PATTERN}"
    for field in ("version", "bytes_per_voxel"):
        number = getattr(step, field, None)
        if not (isinstance(number, int) and number >= 1):
            yield f"its {field} is {number!r}, not a whole number from 1"
    parameters = getattr(step, "Parameters", None)
    if not (inspect.isclass(parameters) and issubclass(parameters, Record)):
        yield f"its Parameters is {parameters!r}, not a class derived from emseg.config.base.Record"
    else:
        needed = [parameter for parameter, field in parameters.model_fields.items() if field.is_required()]
        yield from (f"its parameter {parameter} has no default" for parameter in needed)
