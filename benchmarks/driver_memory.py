"""Peak memory of a Spark driver, of its JVM and of its Python workers, from Linux's /proc."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import psutil


class Watched:
    """The highest peak of each kind of process over all looks, MB. Look often: what is gone is not seen."""

    def __init__(self) -> None:
        self.driver_mb = self.jvm_mb = self.worker_mb = 0.0
        self._seen: dict[int, psutil.Process] = {}

    def look(self, pid: int) -> None:
        """Look at a driver and all that it has started."""
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            self.driver_mb = max(self.driver_mb, _peak_mb(pid))
            for child in psutil.Process(pid).children(recursive=True):
                self._seen[child.pid] = child
                with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    self._note(child)

    def until_gone(self) -> None:
        """Wait until nothing runs any more of what was seen."""
        psutil.wait_procs(list(self._seen.values()), timeout=120)
        self._seen.clear()

    def _note(self, process: psutil.Process) -> None:
        if process.name() == "java":
            self.jvm_mb = max(self.jvm_mb, _peak_mb(process.pid))
        elif "pyspark" in " ".join(process.cmdline()):
            self.worker_mb = max(self.worker_mb, _peak_mb(process.pid))


def _peak_mb(pid: int) -> float:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1e3 if found else 0.0  # a process that has just ended has none
