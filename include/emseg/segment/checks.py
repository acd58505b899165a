"""What a step must return, checked where its output enters the pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.errors import StepError
from emseg.segment.protocol import Step, StepKind

DTYPE_OF: dict[StepKind, type[np.generic]] = {
    StepKind.MASK: np.bool_,
    StepKind.PREDICT: np.float32,
    StepKind.SUPERVOXELS: np.uint32,
    StepKind.AGGLOMERATE: np.uint32,
    StepKind.SEGMENT: np.uint32,
}


def checked(step: Step[Any], output: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """`output`, C-contiguous; StepError when it has another dtype or shape, or is no probability where it should be."""
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
            step, f"probabilities from {output.min()} to {output.max()}", "Return finite values from 0 to 1"
        )
    return np.ascontiguousarray(output)


def step_fault(step: Step[Any], found: str, remedy: str) -> StepError:
    """The error for a step that broke its contract."""
    return StepError("running a segmentation step", f"{step.kind.value} step {step.name}", found, remedy)
