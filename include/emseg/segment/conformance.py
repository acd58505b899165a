"""What an author runs in the tests of a step: every promise of the protocol, tried on small volumes.

    from emseg.segment.conformance import check
    check(MyStep(MyStep.Parameters(), Setting((10, 10, 10))))

It says all that is wrong at once. It cannot say whether a segmentation is good.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from emseg.config.base import NAME_PATTERN
from emseg.errors import EmsegError, StepError
from emseg.segment.checks import checked
from emseg.segment.protocol import Step, StepKind

Arrays = tuple[npt.NDArray[Any], ...]

SHAPES = ((24, 20, 28), (1, 33, 17), (40, 1, 9), (5, 6, 7))
"""Volumes that a step must take: not cubic, and as thin as the edge of a region can be."""
HALO_TOLERANCE = 1e-3
_CORE = (12, 12, 12)
_LARGEST_HALO = 40


@dataclass(frozen=True)
class Case:
    """One input of a step, with what it is, for messages."""

    what: str
    arrays: Arrays


def check(step: Step[Any]) -> None:
    """StepError that lists every broken promise of `step`; returns where there is none."""
    found = problems_of(step)
    if found:
        raise StepError(
            "checking a step against the protocol",
            f"{step.kind.value} step {step.name}",
            f"{len(found)} problems: " + "; ".join(found),
            "Correct the step; docs/plugins.md says what each kind must return",
        )


def problems_of(step: Step[Any]) -> list[str]:
    """One sentence a broken promise, declarations first."""
    found = [*_of_declarations(step), *_of_parameters(step)]
    for case in _cases(step.kind):
        found += _of_case(step, case)
    if not found and step.kind in (StepKind.MASK, StepKind.PREDICT):
        found += _of_halo(step)
    return found


def _of_declarations(step: Step[Any]) -> Iterator[str]:
    if not re.fullmatch(NAME_PATTERN, step.name):
        yield f"name {step.name!r} does not match {NAME_PATTERN}"
    if not isinstance(step.version, int) or step.version < 1:
        yield f"version is {step.version!r}, not a whole number from 1"
    if not isinstance(step.bytes_per_voxel, int) or step.bytes_per_voxel < 1:
        yield f"bytes_per_voxel is {step.bytes_per_voxel!r}, not a whole number from 1"
    halo = step.halo_vox
    if not (isinstance(halo, tuple) and len(halo) == 3 and all(isinstance(h, int) and h >= 0 for h in halo)):
        yield f"halo_vox is {halo!r}, not three whole numbers Z Y X"


def _of_parameters(step: Step[Any]) -> Iterator[str]:
    model = step.Parameters
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
        yield "Parameters must be frozen and forbid unknown fields: derive it from emseg.config.base.Model"
    for name, field in model.model_fields.items():
        if not field.description:
            yield f"parameter {name} has no description"
        if field.is_required():
            yield f"parameter {name} has no default"
    try:
        same = model.model_validate(step.parameters.model_dump(mode="json")) == step.parameters
    except ValidationError as error:
        yield f"the parameters do not survive JSON: {error.errors()[0]['msg']}"
    else:
        if not same:
            yield "the parameters are others after JSON"


def _of_case(step: Step[Any], case: Case) -> list[str]:
    before = [array.copy() for array in case.arrays]
    try:
        first = checked(step, _run(step, case.arrays), case.arrays[0].shape)
        second = _run(step, case.arrays)
    except EmsegError as error:
        return [f"{case.what}: {error.found}"]
    except Exception as error:  # noqa: BLE001 - the border to an author's code: any error is a finding
        return [f"{case.what}: raised {type(error).__name__}: {error}"]
    found = []
    if any(not np.array_equal(a, b) for a, b in zip(before, case.arrays, strict=True)):
        found.append(f"{case.what}: it changed its input")
    if first.tobytes() != np.ascontiguousarray(second).tobytes():
        found.append(f"{case.what}: two runs gave different bytes")
    return found + [f"{case.what}: {problem}" for problem in _of_output(step.kind, case.arrays, first)]


def _of_output(kind: StepKind, arrays: Arrays, output: npt.NDArray[Any]) -> Iterator[str]:
    if kind is StepKind.SUPERVOXELS and not (output[arrays[1]] > 0).all():
        yield "voxels of the mask have no supervoxel"
    if kind is StepKind.AGGLOMERATE:
        supervoxels = arrays[2]
        if not (output[supervoxels > 0] > 0).all():
            yield "supervoxels have no body"
        pairs = np.unique(np.stack([supervoxels.ravel(), output.ravel()]), axis=1)
        if len(np.unique(pairs[0])) != pairs.shape[1]:
            yield "a supervoxel is cut into several bodies"


def _of_halo(step: Step[Any]) -> Iterator[str]:
    """The core computed with the declared halo must be the core of the whole."""
    halo = step.halo_vox
    if max(halo) > _LARGEST_HALO:
        return
    shape = tuple(c + 2 * h + 16 for c, h in zip(_CORE, halo, strict=True))
    gray = _texture(shape)
    core = tuple(slice(h + 8, h + 8 + c) for c, h in zip(_CORE, halo, strict=True))
    around = tuple(slice(s.start - h, s.stop + h) for s, h in zip(core, halo, strict=True))
    inner = tuple(slice(h, h + c) for c, h in zip(_CORE, halo, strict=True))
    arrays = (gray,) if step.kind is StepKind.MASK else (gray, np.ones(shape, bool))
    whole = _run(step, arrays)[core].astype(np.float64)
    part = _run(step, tuple(np.ascontiguousarray(array[around]) for array in arrays))[inner].astype(np.float64)
    difference = float(np.abs(whole - part).max())
    if difference > HALO_TOLERANCE:
        yield f"halo_vox = {halo} is too small: voxels outside it change the core by {difference:.3g}"


def _run(step: Step[Any], arrays: Arrays) -> npt.NDArray[Any]:
    method: Callable[..., npt.NDArray[Any]] = getattr(step, step.kind.value)
    return method(*arrays)


def _cases(kind: StepKind) -> Iterator[Case]:
    for shape in SHAPES:
        yield from _cases_of_shape(kind, shape)


def _cases_of_shape(kind: StepKind, shape: tuple[int, ...]) -> Iterator[Case]:
    everywhere, one_voxel = np.ones(shape, bool), np.zeros(shape, bool)
    one_voxel.flat[one_voxel.size // 2] = True
    for image, gray in (("texture", _texture(shape)), ("constant gray", np.full(shape, 128, np.uint8))):
        if kind is StepKind.MASK:
            yield Case(f"{image} {shape}", (gray,))
            continue
        for where, mask in (("all voxels", everywhere), ("a mask of one voxel", one_voxel)):
            what = f"{image} {shape}, {where}"
            probability = (1 - gray / 255).astype(np.float32)
            if kind in (StepKind.PREDICT, StepKind.SEGMENT):
                yield Case(what, (gray, mask))
            elif kind is StepKind.SUPERVOXELS:
                yield Case(what, (probability, mask))
            else:
                yield Case(what, (gray, probability, np.where(mask, _bricks(shape), 0).astype(np.uint32)))


def _texture(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Smooth waves with noise: the same bytes everywhere."""
    rng = np.random.default_rng(20)
    waves = sum(np.sin(grid / (2 + axis)) for axis, grid in enumerate(np.indices(shape)))
    texture = np.clip(128 + 35 * np.asarray(waves) + rng.normal(0, 8, shape), 0, 255)
    gray: npt.NDArray[np.uint8] = texture.astype(np.uint8)
    return gray


def _bricks(shape: tuple[int, ...]) -> npt.NDArray[np.uint32]:
    """Supervoxels of 5 voxels a side, numbered with gaps."""
    z, y, x = np.indices(shape) // 5
    bricks: npt.NDArray[np.uint32] = (1 + 7 * x + 101 * y + 1009 * z).astype(np.uint32)
    return bricks
