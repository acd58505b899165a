"""The child process of an isolated step: it reads a request from standard input, runs the step, answers and ends.

It also ends when its parent does, so a Spark worker that is killed leaves no step behind that still computes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from emseg.config.pipeline import StepConfig
from emseg.errors import StepError
from emseg.segment.contract import checked
from emseg.segment.isolation import Answer, ArrayHeader, OsError, Request
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Setting, StepKind
from emseg.segment.registry import make_step

MIB = 1 << 20
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the request on standard input, and write the answer; exit code 0 whenever there is one."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the step prints must not get into the answer
    request = Request.model_validate_json(sys.stdin.buffer.readline())
    arrays = [header.array(received(sys.stdin.buffer, header.size)) for header in request.arrays]
    files = request.model_files
    model = (
        None
        if files is None
        else ModelFolder({n: bytes(received(sys.stdin.buffer, size)) for n, size in files.items()})
    )
    kind = StepKind(request.kind)
    try:
        setting = Setting(request.voxel_size_nm, model)
        step = make_step(kind, StepConfig(name=request.name, parameters=request.parameters), setting)
        _limit(request.memory_mb)
        output = checked(step, getattr(step, kind.value)(*arrays), arrays[0].shape)
        header = ArrayHeader.of(output)
        data = output.tobytes()
    except MemoryError:
        _free()
        answer, data = Answer(out_of_memory=True), b""
    except OSError as error:
        _free()
        answer, data = Answer(out_of_memory=True) if error.errno == errno.ENOMEM else Answer(os_error=_of(error)), b""
    except StepError as error:
        answer, data = Answer(fault=error.found, remedy=error.remedy), b""
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others: whatever it raises is the answer
        answer, data = Answer(fault=f"raised {type(error).__name__}: {error}"), b""
    else:
        answer = Answer(array=header)
    answers.write(answer.model_dump_json().encode() + b"\n" + data)
    answers.close()
    return 0


def received(stream: BinaryIO, size: int) -> bytearray:
    """The next `size` bytes of the request; EOFError where it ends before."""
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        read = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not read:
            raise EOFError(f"the request ended after {done} of {size} bytes")
        done += read
    return data


def _limit(memory_mb: int) -> None:
    """Limit the address space to what is in use now and `memory_mb` more."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory_mb * MIB, resource.RLIM_INFINITY))


def _of(error: OSError) -> OsError:
    return OsError(errno=error.errno, text=error.strerror or str(error), file=str(error.filename or ""))


def _free() -> None:
    """Lift the limit, so that the answer itself finds memory."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # a thread that the step left running must not delay the answer
