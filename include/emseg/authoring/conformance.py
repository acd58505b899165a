"""What an author calls in the tests of a step: it tries every promise of the protocol on small volumes.

    from emseg.authoring.conformance import check
    check(MyStep(MyStep.Parameters(), Setting((10, 10, 10))))

It lists all broken promises at once; it cannot say whether a segmentation is good. A step that keeps all other promises
runs once more in a process of its own, to measure its memory (Linux only, and the class must be importable by name).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from emseg.authoring.measured_child import Measured, MeasureRequest
from emseg.config.connections import without_services
from emseg.errors import EmsegError, StepError
from emseg.geometry import Box, Coordinate
from emseg.segment.contract import checked, declaration_faults, step_fault
from emseg.segment.isolation import ONE_THREAD, ArrayHeader
from emseg.segment.protocol import Step, StepKind

Arrays = tuple[npt.NDArray[Any], ...]

SHAPES = ((24, 20, 28), (1, 33, 17), (40, 1, 9), (5, 6, 7))
"""Shapes that a step must take: not cubic, and as thin as a subvolume at the edge of a region can be."""
HALO_TOLERANCE = 1e-3
WARM_UP_SHAPE, MEASURED_SHAPE = (24, 20, 28), (168, 168, 168)
"""The first volume loads and compiles the code. The second is like a real subvolume: a core of 128, a halo of 20."""
MEMORY_TOLERANCE = 1.25
"""Ratio of measured to declared memory that still passes: allocators round up, and keep what was freed."""
_CORE = (12, 12, 12)
_LARGEST_HALO = 40
MEASURING_S = 300


@dataclass(frozen=True)
class Case:
    """One input of a step, and what to call it in messages."""

    what: str
    arrays: Arrays


def check(step: Step[Any]) -> None:
    """StepError that lists every broken promise of `step`; returns if there is none."""
    found = problems_of(step)
    if found:
        raise StepError(
            "checking a step against the protocol",
            f"step {type(step).__qualname__}",
            f"broken promises ({len(found)}): " + "; ".join(found),
            "Correct the step; docs/plugins.md says what each kind must return",
        )


def problems_of(step: Step[Any]) -> list[str]:
    """One sentence for each broken promise, those about declarations first."""
    found = [*_of_declarations(step)]
    if found:
        return found  # a step that does not say what it is cannot be tried
    found += _of_parameters(step)
    for case in _cases(step.kind):
        found += _of_case(step, case)
    if not found and step.kind in (StepKind.MASK, StepKind.PREDICT):
        found += _of_halo(step)
    if not found and Path("/proc/self/status").exists():
        found += _of_memory(step)
    return found


def _of_declarations(step: Step[Any]) -> Iterator[str]:
    yield from declaration_faults(type(step))
    halo = step.halo_vox
    if not (isinstance(halo, tuple) and len(halo) == 3 and all(isinstance(h, int) and h >= 0 for h in halo)):
        yield f"halo_vox is {halo!r}, not three whole numbers Z Y X"


def _of_parameters(step: Step[Any]) -> Iterator[str]:
    record = step.Parameters
    if record.model_config.get("extra") != "forbid" or not record.model_config.get("frozen"):
        yield "Parameters must be frozen and forbid unknown fields: derive it from emseg.config.base.Record"
    for name, field in record.model_fields.items():
        if not field.description:
            yield f"parameter {name} has no description"
    try:
        same = record.model_validate(step.parameters.model_dump(mode="json")) == step.parameters
    except ValidationError as error:
        yield f"the parameters do not survive JSON: {error.errors()[0]['msg']}"
    else:
        if not same:
            yield "the parameters are not the same after a round trip through JSON"


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
    halo = Coordinate.of(step.halo_vox)
    if max(halo) > _LARGEST_HALO:
        return
    core = Box.of_shape(_CORE, halo + 8)
    around = core.grown(halo)
    shape = around.stop + 8
    gray = _texture(shape)
    arrays = (gray,) if step.kind is StepKind.MASK else (gray, np.ones(shape, bool))
    whole = _run(step, arrays)[core.slices()].astype(np.float64)
    inputs = tuple(np.ascontiguousarray(array[around.slices()]) for array in arrays)
    part = _run(step, inputs)[core.slices(around.start)].astype(np.float64)
    difference = float(np.abs(whole - part).max())
    if difference > HALO_TOLERANCE:
        yield f"halo_vox = {halo} is too small: voxels outside it change the core by {difference:.3g}"


def _of_memory(step: Step[Any]) -> Iterator[str]:
    """The memory that the step takes for a voxel against its declaration; its output counts, its inputs do not."""
    try:
        measured = measured_bytes_per_voxel(step)
    except StepError as error:
        yield error.found
        return
    if measured > step.bytes_per_voxel * MEMORY_TOLERANCE:
        yield f"bytes_per_voxel is {step.bytes_per_voxel}, but {measured:.1f} were measured"


def measured_bytes_per_voxel(step: Step[Any]) -> float:
    """Bytes that a new process takes for each voxel of `MEASURED_SHAPE`, beyond a tiny volume and beyond its inputs.

    For example, 47.4 MB more for 4.74 Mvoxels are 10 bytes a voxel. The supervoxels of the volume have 1000 voxels,
    fewer than those of most tissue, so that what a step keeps for each of them counts too. StepError when the process
    cannot run the step.
    """
    volumes = [_whole(step.kind, shape) for shape in (WARM_UP_SHAPE, MEASURED_SHAPE)]
    before, high = (
        peak - sum(array.nbytes for array in arrays)
        for peak, arrays in zip(_peaks(step, volumes), volumes, strict=True)
    )
    return max(0.0, (high - before) / volumes[-1][0].size)


def _peaks(step: Step[Any], volumes: Sequence[Arrays]) -> tuple[int, ...]:
    files = {} if step.setting.model is None else dict(sorted(step.setting.model.files.items()))
    request = MeasureRequest(
        module=type(step).__module__,
        name=type(step).__qualname__,
        parameters=step.parameters.model_dump(mode="json"),
        voxel_size_nm=step.setting.voxel_size_nm,
        model_files=None if step.setting.model is None else {name: len(data) for name, data in files.items()},
        volumes=tuple(tuple(ArrayHeader.of(array) for array in arrays) for arrays in volumes),
    )
    parts = [request.model_dump_json().encode() + b"\n", *files.values()]
    parts += [np.ascontiguousarray(array).tobytes() for arrays in volumes for array in arrays]
    path = os.pathsep.join(path for path in sys.path if path)
    environment = {**without_services(os.environ), **ONE_THREAD, "PYTHONPATH": path}
    command = [sys.executable, "-m", "emseg.authoring.measured_child"]
    try:
        done = subprocess.run(
            command, input=b"".join(parts), env=environment, capture_output=True, timeout=MEASURING_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise step_fault(step, f"memory: did not finish in {MEASURING_S} s", "Make it faster") from None
    if done.returncode != 0:
        said = (done.stderr.decode("utf-8", "replace").strip() or f"code {done.returncode}").splitlines()[-1]
        raise step_fault(step, f"memory cannot be measured: {said}", "Define the class at the top of a module")
    return Measured.model_validate_json(done.stdout.splitlines()[-1]).peaks


def _run(step: Step[Any], arrays: Arrays) -> npt.NDArray[Any]:
    method: Callable[..., npt.NDArray[Any]] = getattr(step, step.kind.value)
    return method(*arrays)


def _cases(kind: StepKind) -> Iterator[Case]:
    for shape in SHAPES:
        yield from _cases_of_shape(kind, shape)


def _whole(kind: StepKind, shape: tuple[int, ...]) -> Arrays:
    """A volume of texture that is all in the mask, with supervoxels of 10 voxels a side."""
    return next(_cases_of_shape(kind, shape, brick_vox=10)).arrays


def _cases_of_shape(kind: StepKind, shape: tuple[int, ...], brick_vox: int = 5) -> Iterator[Case]:
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
                yield Case(what, (gray, probability, np.where(mask, _bricks(shape, brick_vox), 0).astype(np.uint32)))


def _texture(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Smooth waves with noise; the same bytes on every machine."""
    rng = np.random.default_rng(20)
    waves = sum(np.sin(grid / (2 + axis)) for axis, grid in enumerate(np.indices(shape)))
    texture = np.clip(128 + 35 * np.asarray(waves) + rng.normal(0, 8, shape), 0, 255)
    gray: npt.NDArray[np.uint8] = texture.astype(np.uint8)
    return gray


def _bricks(shape: tuple[int, ...], side_vox: int) -> npt.NDArray[np.uint32]:
    """Cubic supervoxels with sides of `side_vox` voxels, numbered with gaps."""
    z, y, x = np.indices(shape) // side_vox
    bricks: npt.NDArray[np.uint32] = (1 + 7 * x + 101 * y + 1009 * z).astype(np.uint32)
    return bricks
