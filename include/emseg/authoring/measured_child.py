"""A child process of the conformance kit: it runs one step on volume after volume and reports its peak memory.

The step needs a process of its own: memory that an older process has freed and kept would hide what the step takes.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy.typing as npt

from emseg.config.base import Record
from emseg.geometry import VoxelSize
from emseg.segment.isolated_child import received
from emseg.segment.isolation import ArrayHeader
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Setting, Step

Arrays = tuple[npt.NDArray[Any], ...]


class MeasureRequest(Record):
    """Names the class of a step, which need not be registered. The files of the model follow, then all arrays."""

    module: str
    name: str
    parameters: dict[str, Any]
    voxel_size_nm: VoxelSize
    model_files: dict[str, int] | None
    volumes: tuple[tuple[ArrayHeader, ...], ...]


class Measured(Record):
    """Peak of the resident memory in bytes, from the start of the process to the end of each volume."""

    peaks: tuple[int, ...]


def main() -> int:
    """Run the request on standard input, and print the answer; exit code 0 whenever there is one."""
    stream = sys.stdin.buffer
    request = MeasureRequest.model_validate_json(stream.readline())
    files = request.model_files
    model = None if files is None else ModelFolder({n: bytes(received(stream, size)) for n, size in files.items()})
    kind: type[Step[Any]] = getattr(importlib.import_module(request.module), request.name)
    step = kind(kind.Parameters.model_validate(request.parameters), Setting(request.voxel_size_nm, model))
    peaks = []
    for headers in request.volumes:
        _run(step, tuple(header.array(received(stream, header.size)) for header in headers))
        peaks.append(_peak())
    sys.stdout.write("\n" + Measured(peaks=tuple(peaks)).model_dump_json())
    return 0


def _run(step: Step[Any], arrays: Arrays) -> None:
    getattr(step, step.kind.value)(*arrays)


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.exit(main())
