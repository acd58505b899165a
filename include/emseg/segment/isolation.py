"""Runs a step in a child process with limits of time and memory, so that a step that hangs fails alone.

The child is a program of its own (`emseg.segment.isolated_child`), because Spark's workers may not fork. Request and
answer are each one line of JSON and raw bytes: nothing is pickled. What the step prints goes to the child's standard
error. The child's environment holds no address and no secret of the services.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.config.base import Record
from emseg.config.connections import without_services
from emseg.config.pipeline import Isolation
from emseg.errors import TransientError
from emseg.geometry import VoxelSize
from emseg.segment.contract import step_fault
from emseg.segment.protocol import Step

CHILD = "emseg.segment.isolated_child"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_SHOWN = 500


class ArrayHeader(Record):
    """An array that follows as raw bytes in C order."""

    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> ArrayHeader:
        """The header of `array`."""
        return cls(dtype=array.dtype.str, shape=array.shape)

    @property
    def size(self) -> int:
        """Bytes that follow."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def array(self, data: bytes | bytearray) -> npt.NDArray[Any]:
        """The array in `data`."""
        return np.frombuffer(data, np.dtype(self.dtype)).reshape(self.shape)


class Request(Record):
    """The step that the child shall run. The arrays follow, then the files of the model."""

    kind: str
    name: str
    parameters: dict[str, Any]
    voxel_size_nm: VoxelSize
    memory_mb: int
    arrays: tuple[ArrayHeader, ...]
    model_files: dict[str, int] | None


class OsError(Record):
    """An OSError that the step met: a full disk, a file that cannot be read."""

    errno: int | None
    text: str
    file: str

    def again(self) -> OSError:
        """The same error in this process."""
        return OSError(self.errno, self.text, self.file or None) if self.errno is not None else OSError(self.text)


class Answer(Record):
    """The result: an array, whose bytes follow, or a `fault`; `out_of_memory` where the step met its limit.

    An `os_error` is no fault of the step.
    """

    array: ArrayHeader | None = None
    os_error: OsError | None = None
    fault: str = ""
    remedy: str = "Mend the step, or choose another"
    out_of_memory: bool = False


def run_isolated(step: Step[Any], isolation: Isolation, arrays: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[Any]:
    """The step's output from a child process.

    StepError when the step raises, takes longer than the limit, wants more memory, or ends its process. OSError as in
    the child: it is no fault of the step.
    """
    payload = _payload(step, isolation, arrays)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**without_services(os.environ), **ONE_THREAD},
            start_new_session=True,
        )
    except OSError as error:
        raise TransientError(
            "starting the child process of a step", f"{step.kind.value} step {step.name}", str(error), "Try again"
        ) from error
    with child:
        try:
            out, err = child.communicate(payload, timeout=isolation.timeout_s)
        except subprocess.TimeoutExpired:
            _end(child)
            raise step_fault(
                step,
                f"did not finish in {isolation.timeout_s:g} s and was stopped",
                "Raise isolation.timeout_s, use smaller subvolumes, or mend the step",
            ) from None
        finally:
            _end(child)
    return _read(step, isolation, out, err.decode("utf-8", "replace"), child.returncode)


def _payload(step: Step[Any], isolation: Isolation, arrays: tuple[npt.NDArray[Any], ...]) -> bytes:
    model = step.setting.model
    files = None if model is None else dict(sorted(model.files.items()))
    request = Request(
        kind=step.kind.value,
        name=step.name,
        parameters=step.parameters.model_dump(mode="json"),
        voxel_size_nm=step.setting.voxel_size_nm,
        memory_mb=isolation.memory_mb,
        arrays=tuple(ArrayHeader.of(array) for array in arrays),
        model_files=None if files is None else {name: len(data) for name, data in files.items()},
    )
    head = request.model_dump_json().encode() + b"\n"
    return b"".join([head, *(np.ascontiguousarray(array).tobytes() for array in arrays), *(files or {}).values()])


def _read(step: Step[Any], isolation: Isolation, out: bytes, err: str, code: int) -> npt.NDArray[Any]:
    head, _, data = out.partition(b"\n")
    answer = _answer(head)
    if answer is None:
        raise step_fault(step, f"its process {_ending(code)}: {_tail(err)}", "Mend the step")
    if answer.out_of_memory:
        raise step_fault(
            step,
            f"needs more than the {isolation.memory_mb} MiB that it may have",
            "Raise isolation.memory_mb, use smaller subvolumes, or mend the step",
        )
    if answer.os_error is not None:
        raise answer.os_error.again()
    if answer.array is None:
        raise step_fault(step, answer.fault, answer.remedy)
    if len(data) != answer.array.size:
        found = f"its process gave {len(data)} of {answer.array.size} bytes: {_tail(err)}"
        raise step_fault(step, found, "Mend the step")
    return answer.array.array(bytearray(data))


def _answer(head: bytes) -> Answer | None:
    try:
        return Answer.model_validate(json.loads(head))
    except ValueError:
        return None


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    names = {known.value: known.name for known in signal.Signals}
    return f"was ended by signal {-code} ({names.get(-code, 'without a name')})"


def _tail(err: str) -> str:
    return err.strip()[-_SHOWN:] or "it printed nothing"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and all processes that it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
