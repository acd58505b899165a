"""Processes forked from one that has imported emseg: what takes seconds to start as a command starts at once.

For tests of processes that are killed, or whose exit code and output count. Their imports are those of other tests.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.prepared"])


@dataclass(frozen=True)
class Forked:
    """A process, and the files of what it writes to its standard output and error."""

    process: BaseProcess
    out: Path
    err: Path

    def send_signal(self, number: int) -> None:
        """Stop it, or wake it."""
        assert self.process.pid
        os.kill(self.process.pid, number)

    def ended(self, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Wait for its end; an exit code below 0 is a signal."""
        self.process.join(timeout_s)
        code = self.process.exitcode
        assert code is not None, f"it has not ended, and said {self.out.read_text()}{self.err.read_text()}"
        return subprocess.CompletedProcess((), code, self.out.read_text(), self.err.read_text())


def forked(work: Callable[..., object], *given: object, environment: Mapping[str, str], out: Path, err: Path) -> Forked:
    """A new process that calls `work` (a function of a module) with `given`, and has these variables alone.

    It ends with the code of a SystemExit, or 0. `out` and `err` may be one file.
    """
    process = _FORKS.Process(target=_begun, args=(dict(environment), out, err, work, given))
    process.start()
    return Forked(process, out, err)


def emseg(*words: object, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """The command `emseg` with these words, to its end."""
    return to_its_end(command, words, environment)


def to_its_end(
    work: Callable[..., object], words: tuple[object, ...], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A new process that calls `work` with `words`, as text, and has these variables alone, to its end."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        return forked(work, *map(str, words), environment=environment, out=out, err=err).ended(timeout_s=300)


def _begun(
    environment: dict[str, str], out: Path, err: Path, work: Callable[..., object], given: tuple[object, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, output in ((out, 1), (err, 2)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), output)
    work(*given)


def command(*words: str) -> None:
    """Be the command `emseg` with these words."""
    from emseg.cli.main import app

    sys.argv = ["emseg", *words]
    app()
