"""The end of phase `write`: memory of its driver and of an executor at two sizes, and how fast indices are posted.

On a real DVID and S3, started here. The counts of the bricks and the mapping are made by a generator (`counted.py`).
Each driver is a process of its own; its second turn posts and reads back the same indices with workers that are warm.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks.counted import BRICK_ROWS, counted, counted_run
from benchmarks.data import PROJECT
from benchmarks.driver_memory import Watched
from benchmarks.memory import memory_bytes
from benchmarks.rows import Row
from emseg.config import RunSpec
from emseg.devstack import DevStack, down, up
from emseg.engine.items import InProcess, StageExecutor
from emseg.phases.run_context import RunContext
from emseg.phases.services import services_from_environment
from emseg.phases.write.finish import FinishLabelmap
from emseg.store import Markers

SIZES = (260, 1040)
"""Bricks: 10^6 and 4 x 10^6 rows."""


def run() -> list[Row]:
    """One process, then Spark drivers with one and with two workers."""
    with TemporaryDirectory() as folder:
        try:
            return _measured(up(Path(folder), PROJECT / "build" / "tools"), Path(folder))
        finally:
            down(Path(folder))


def _measured(stack: DevStack, folder: Path) -> list[Row]:
    small, large = SIZES
    rows: list[Row] = []
    with patch.dict(os.environ, stack.environment()):
        for workers, bricks in ((0, small), (2, small), (1, large), (2, large)):
            what = f"{bricks * BRICK_ROWS:.1e} rows, " + (f"Spark, {workers} workers" if workers else "one process")
            rows += _driven(stack, folder, bricks, workers, what)
    return rows


def _driven(stack: DevStack, folder: Path, bricks: int, workers: int, what: str) -> list[Row]:
    name = f"bench-{workers}-{bricks}"
    spec = counted_run(services_from_environment().server, folder, bricks, name)
    counted(RunContext(spec, "counted", services_from_environment), bricks)
    (folder / "spec.json").write_text(spec.model_dump_json())
    environment = {
        **os.environ,
        **stack.environment(),
        "PYTHONPATH": os.pathsep.join(map(str, (PROJECT, PROJECT / "spark_jobs"))),
        "PYSPARK_SUBMIT_ARGS": f"--master local[{workers}] --driver-memory 1g pyspark-shell",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [sys.executable, "-m", "benchmarks.finish", str(folder / "spec.json"), str(workers)]
    watched, (out, said) = Watched(), (folder / "told.json", folder / "said.txt")
    with out.open("w") as told, said.open("w") as log:
        driver = subprocess.Popen(command, env=environment, stdout=told, stderr=log)
        while driver.poll() is None:
            watched.look(driver.pid)
            time.sleep(0.2)
    assert driver.returncode == 0, said.read_text()[-3000:]
    return _rows(json.loads(out.read_text().splitlines()[-1]), watched, workers, bricks * BRICK_ROWS, what)


def _rows(found: dict[str, Any], watched: Watched, workers: int, rows: int, what: str) -> list[Row]:
    rates = [
        Row(f"{what}: finished", found["first_s"], "s"),
        Row(f"{what}: indices posted again and read back", found["bodies"] / found["again_s"], "bodies/s"),
    ]
    if not workers:
        return [
            *rates,
            Row(f"{what}: CPU of finishing", 1e6 * found["cpu_s"] / rows, "us per row"),
            Row(f"{what}: peak memory above the start", found["peak_mb"], "MB"),
        ]
    return [
        *rates,
        Row(f"{what}: peak memory of the driver above its start", found["peak_mb"], "MB"),
        Row(f"{what}: peak memory of the driver, imports and all", watched.driver_mb, "MB"),
        Row(f"{what}: peak memory of its JVM", watched.jvm_mb, "MB"),
        Row(f"{what}: peak memory of a Python worker", watched.worker_mb, "MB"),
    ]


def drive(spec: Path, workers: int) -> dict[str, Any]:
    """Finish a run in this process, twice; with workers by Spark."""
    run_ = RunContext(RunSpec.model_validate_json(spec.read_text()), "driver", services_from_environment)
    folder = run_.folder("write")
    markers = Markers.of(folder.whole_markers(sorted(folder.done_items())))
    executor = _executor(workers)
    before, started, cpu = memory_bytes("VmRSS"), time.perf_counter(), time.process_time()
    figures = FinishLabelmap(run_, executor)(markers)
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    FinishLabelmap(run_, executor)(markers)
    return {
        "bodies": figures["bodies"],
        "first_s": ended - started,
        "again_s": time.perf_counter() - ended,
        "cpu_s": cpu,
        "peak_mb": (memory_bytes("VmHWM") - before) / 1e6,
    }


def _executor(workers: int) -> StageExecutor:
    if not workers:
        return InProcess()
    from run_stage import SparkExecutor

    return SparkExecutor("benchmarks finish")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(drive(Path(sys.argv[1]), int(sys.argv[2]))) + "\n")
