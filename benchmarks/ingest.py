"""Ingestion of a large OME-Zarr on Spark whose driver is killed twice: memory, what is written twice, the same bytes.

`python -m benchmarks ingest` takes a quarter of a gigavoxel, `python -m benchmarks.ingest 10` ten. A real DVID and S3
are started in a folder of their own. `kill -9` ends the driver at two random moments, and the next driver goes on. At
the end every voxel is read back at each scale and compared by its digest with the function that made the volume. It
needs Linux's /proc.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.driver_memory import Watched
from benchmarks.ingest_source import expected, write_ome_zarr
from benchmarks.rows import Row, shown
from emseg.config.base import INGESTIONS
from emseg.config.ingestion import INGEST, IngestParameters, IngestSpec
from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer, Grayscale, Node, create_repo
from emseg.dvid.request_boxes import request_boxes
from emseg.engine.report import StageReport
from emseg.geometry import Box, Coordinate
from emseg.phases.services import DvidServices
from emseg.store import PhaseFolder, S3Store
from emseg.tasks.ingestion import pin_ingestion
from emseg.tasks.ingestion.work import items_of, phase_folder
from emseg.tasks.run_folder import RunFolder

PROJECT = Path(__file__).resolve().parents[1]
GIGAVOXELS, MAX_SCALE, SLOTS = 0.25, 2, 2
KILLED_BETWEEN = ((0.1, 0.4), (0.5, 0.8))
"""Shares of the bricks that have a marker when a driver is killed."""
READ_VOXELS = 64 << 20


def run(gigavoxels: float = GIGAVOXELS) -> list[Row]:
    """Ingest the volume, kill, go on, compare."""
    with TemporaryDirectory(dir=PROJECT / "build") as folder:
        try:
            return _rows(up(Path(folder, "stack"), PROJECT / "build" / "tools"), Path(folder), gigavoxels)
        finally:
            down(Path(folder, "stack"))


def _rows(stack: DevStack, folder: Path, gigavoxels: float) -> list[Row]:
    # No side is a multiple of a brick, so there are faces that cut through blocks.
    side = round((gigavoxels * 1e9) ** (1 / 3))
    shape = Coordinate(side - 40, side, side + 50)
    started = time.perf_counter()
    size = write_ome_zarr(folder / "brain.zarr", shape)
    made = time.perf_counter()
    server = DvidServer(stack.dvid)
    services = DvidServices(S3Store.open(stack.s3), server)
    node = Node(server, create_repo(server, "bench", "ingestion"))
    chosen = {"source": str(folder / "brain.zarr"), "node": node.uuid, "max_scale": MAX_SCALE}
    spec, _ = pin_ingestion(IngestParameters.model_validate(chosen), services)
    drivers = _Drivers(stack, RunFolder(services.store, INGESTIONS, "bench"), spec, phase_folder(spec, services, ""))
    drivers.folder.write("ingestion", spec)
    kept = [drivers.killed(*moments) for moments in KILLED_BETWEEN]
    report = drivers.to_the_end()
    ended = time.perf_counter()
    same = [_digests(node, shape, scale) for scale in range(MAX_SCALE + 1)]
    bricks, voxels = len(items_of(spec)), Box.of_shape(shape).voxels
    what = f"{voxels / 1e9:.2f} gigavoxels"
    return [
        Row(f"{what}: OME-Zarr on disk", size / 1e6, "MB"),
        Row(f"{what}: making it", made - started, "s"),
        Row(f"{what}: ingestion at scales 0 to {MAX_SCALE}, with two kills", ended - made, "s"),
        Row(f"{what}: bricks", bricks, "bricks"),
        *(Row(f"{what}: with a marker at kill {n}", done, "bricks") for n, done in enumerate(kept, 1)),
        Row(f"{what}: found by the last driver", report.items_reused, "bricks"),
        Row(f"{what}: with a marker and written again", drivers.written_again(report, kept[-1]), "bricks"),
        Row(f"{what}: peak memory of the driver", drivers.watched.driver_mb, "MB"),
        Row(f"{what}: peak memory of its JVM", drivers.watched.jvm_mb, "MB"),
        Row(f"{what}: peak memory of a worker", drivers.watched.worker_mb, "MB"),
        *(Row(f"{what}: scale {n} has the function's digest", is_same, "1 = yes") for n, is_same in enumerate(same)),
        Row(f"{what}: reading all of it back", time.perf_counter() - ended, "s"),
    ]


class _Drivers:
    """Spark drivers of one ingestion, one after the other."""

    def __init__(self, stack: DevStack, folder: RunFolder, spec: IngestSpec, markers: PhaseFolder) -> None:
        self._stack, self.folder, self._markers = stack, folder, markers
        self._bricks = len(items_of(spec))
        self.watched = Watched()

    def killed(self, low: float, high: float) -> int:
        """Start a driver, kill it at a random moment, and return how many bricks have a marker then."""
        aim = random.uniform(low, high) * self._bricks  # noqa: S311 - a moment is no secret
        driver = self._started()
        while len(self._markers.done_items()) < aim:
            assert driver.poll() is None, driver.returncode
            self.watched.look(driver.pid)
            time.sleep(0.2)
        driver.kill()
        driver.wait()
        self.watched.until_gone()
        return len(self._markers.done_items())

    def to_the_end(self) -> StageReport:
        driver = self._started()
        while driver.poll() is None:
            self.watched.look(driver.pid)
            time.sleep(0.2)
        assert driver.returncode == 0, driver.returncode
        return self.folder.read(f"report-{INGEST}", StageReport)

    def written_again(self, report: StageReport, kept: int) -> int:
        """Bricks that had a marker when the last driver began, and that it wrote all the same."""
        assert report.items_done + report.items_reused == self._bricks, report
        return kept - report.items_reused

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PROJECT / "spark_jobs" / "run_stage.py"), INGEST, INGESTIONS, self.folder.run]
        environment = {
            **os.environ,
            **self._stack.environment(),
            "PYSPARK_SUBMIT_ARGS": f"--master local[{SLOTS}] --driver-memory 1g pyspark-shell",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _digests(node: Node, shape: Coordinate, scale: int) -> bool:
    """Whether the digest of all voxels at a scale, as DVID returns them, is that of the function."""
    gray = Grayscale(node, f"grayscale_{scale}" if scale else "grayscale")
    box = Box.of_shape(shape).coarser(1 << scale)
    assert gray.info().extents == box, gray.info().extents
    found, reference = sha256(), sha256()
    for part in request_boxes(box, (64, 64, 64), READ_VOXELS):
        found.update(np.ascontiguousarray(gray.read(part)).data)
        reference.update(np.ascontiguousarray(expected(part, scale)).data)
    return found.digest() == reference.digest()


if __name__ == "__main__":
    print(shown(run(float(sys.argv[1]) if len(sys.argv) > 1 else GIGAVOXELS)))
