"""Real runs of 8, 64 and 512 subvolumes, the last of 2.1 gigavoxels: `python -m benchmarks large`, an hour on 2 cores.

The volume is real EM, mirrored and laid side by side, in a real DVID, with a real S3 server, on Spark with two cores.
In the run of 512 the driver of each stage is killed once in the middle, and started again. 64 subvolumes of 256^3 are
done by Spark and by a bare pool of two processes. CPU is that of the drivers and all that they start; servers are not
in it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np
import psutil
import yaml

from benchmarks.data import PROJECT, unlabelled_em
from benchmarks.pool import Pool
from benchmarks.rows import Row
from emseg.config import RunParameters
from emseg.config.resources import ONE_COMPILER
from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer, Node, create_repo
from emseg.ingest import ingest_grayscale
from emseg.ingest.arrays import ArrayVolume
from emseg.phases import phases_of
from emseg.phases.services import DvidServices, services_from_environment
from emseg.store import S3Store
from emseg.tasks.jobs import run_stage
from emseg.tasks.pin import pin_run
from emseg.tasks.run_folder import RunFolder

CORE_VOX = (128, 128, 256)
SIDES = (2, 4, 8)
"""Subvolumes a side."""
COMPARED_CORE_VOX, COMPARED_SIDE = (256, 256, 256), 4
VOXEL_SIZE_NM = (8.0, 8.0, 8.0)
STAGES = ("segment", "stitch", "evaluate")
KILLED_AT = 0.4
"""Share of a stage's items after which its driver is killed."""


def run() -> Iterator[Row]:
    """CPU and wall time of a voxel by size, what a kill cost, and Spark beside a pool."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        stack = up(root / "servers", PROJECT / "build" / "tools")
        try:
            large = Large(stack, root)
            # In a new clone the first task compiles the kernels, and keeps them for all that come after.
            large.on_spark(large.ingested(min(SIDES), CORE_VOX), kills=False)
            yield from _beside_pool(large)
            yield from _by_size(large)
        finally:
            down(root / "servers")


def _beside_pool(large: Large) -> Iterator[Row]:
    """Spark before the pool and after it: a machine that grows faster or slower meanwhile is seen."""
    volume = large.ingested(COMPARED_SIDE, COMPARED_CORE_VOX)
    before_s = large.on_spark(volume, kills=False).wall_s
    pool_s = large.in_pool(volume)
    after_s = large.on_spark(volume, kills=False).wall_s
    for order, spark_s in (("Spark first", before_s), ("the pool first", after_s)):
        said = f"{volume.what}, {order}: Spark {spark_s:.0f} s / a bare pool of two {pool_s:.0f} s"
        yield Row(said, spark_s / pool_s, "x")
    yield Row(f"{volume.what}: Spark, the mean of both / a bare pool of two", (before_s + after_s) / 2 / pool_s, "x")


def _by_size(large: Large) -> Iterator[Row]:
    before: Done | None = None
    for side in SIDES:
        volume = large.ingested(side, CORE_VOX)
        done = large.on_spark(volume, kills=side == max(SIDES))
        what = volume.what
        yield Row(
            f"{what}: voxels that segment reads, overlaps with them, of each voxel", done.read_mvox / volume.mvox, "x"
        )
        yield Row(f"{what}: CPU, all stages", done.cpu_s / volume.mvox, "s/Mvoxel")
        yield Row(f"{what}: wall on Spark, all stages", done.wall_s / volume.mvox, "s/Mvoxel")
        for stage in STAGES:
            yield Row(f"{what}: {stage}, CPU", done.cpu_by_stage[stage], "s")
            yield Row(f"{what}: {stage}, wall", done.stages[stage], "s")
            if stage in done.found:
                yield Row(f"{what}: {stage}, items found after a kill", done.found[stage], "items")
                yield Row(f"{what}: {stage}, of these done again", done.twice[stage], "items")
        if before:
            more_s, more_mvox = done.cpu_s - before.cpu_s, done.read_mvox - before.read_mvox
            yield Row(f"{what}: CPU of what is more than in the size before", more_s / more_mvox, "s/Mvoxel read")
        before = done


@dataclass
class Done:
    """What a run took; and by stage how many items a driver found after a kill, and how many of them it did again."""

    read_mvox: float
    stages: dict[str, float] = field(default_factory=dict)
    cpu_by_stage: dict[str, float] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    twice: dict[str, int] = field(default_factory=dict)

    @property
    def wall_s(self) -> float:
        """Of all stages."""
        return sum(self.stages.values())

    @property
    def cpu_s(self) -> float:
        """Of all stages."""
        return sum(self.cpu_by_stage.values())


@dataclass(frozen=True)
class Volume:
    """A committed volume."""

    name: str
    node: str
    side: int
    core_vox: tuple[int, int, int]

    @property
    def mvox(self) -> float:
        """Millions of voxels."""
        return float(np.prod(self.core_vox)) * self.side**3 / 1e6

    @property
    def what(self) -> str:
        """Where it is from and how large it is."""
        size = "x".join(map(str, self.core_vox))
        return f"{self.name}: {self.side**3} subvolumes of {size}, {self.mvox:.0f} Mvoxels"


@dataclass(frozen=True)
class Large:
    """Runs on one devstack."""

    stack: DevStack
    root: Path

    def ingested(self, side: int, core_vox: tuple[int, int, int]) -> Volume:
        """Real EM, mirrored, over `side` subvolumes a side."""
        em, shape = unlabelled_em(), tuple(side * each for each in core_vox)
        server = DvidServer(self.stack.dvid)
        node = Node(server, create_repo(server, f"large-{side}", "benchmark"))
        ingest_grayscale(node, "grayscale", ArrayVolume(Mirrored(em.grayscale, shape), em.name), VOXEL_SIZE_NM)
        node.commit("benchmark volume")
        return Volume(f"{em.name}, mirrored", node.uuid, side, core_vox)

    def on_spark(self, volume: Volume, kills: bool) -> Done:
        """All stages, each a Spark driver."""
        folder = self._pinned(volume)
        grid = folder.pinned_context(self._services).grid
        read = sum(grid.subvolume(number).padded.voxels for number in range(volume.side**3))
        done = Done(read / 1e6)
        for stage in STAGES:
            started, cpu_s = time.perf_counter(), 0.0
            if kills:
                cpu_s = self._killed(folder, stage)
                before = self._committed(folder, stage)
            done.cpu_by_stage[stage] = cpu_s + self._driven(folder, stage)
            if kills:
                after = self._committed(folder, stage)
                done.twice[stage] = sum(after[item] != attempt for item, attempt in before.items())
                done.found[stage] = len(before)
            done.stages[stage] = time.perf_counter() - started
            told = f"CPU {done.cpu_by_stage[stage]:.0f} s, wall {done.stages[stage]:.0f} s"
            print(f"{volume.what}: {stage}: {told}, found {done.found.get(stage)}", file=sys.stderr, flush=True)
        return done

    def in_pool(self, volume: Volume) -> float:
        """Seconds of all stages in a pool of two processes."""
        folder, pool = self._pinned(volume), Pool(2)
        with _environment(self.stack.environment()):
            started = time.perf_counter()
            try:
                for stage in STAGES:
                    run = folder.context(uuid4().hex[:12], services_from_environment, before=stage)
                    folder.write_report(run_stage(stage, run, pool).report, run)
            finally:
                pool.stop()
            return time.perf_counter() - started

    def _pinned(self, volume: Volume) -> RunFolder:
        name = f"large-{uuid4().hex[:8]}"
        document = {
            "name": name,
            "description": "benchmark",
            "volume": {"node": volume.node, "groundtruth": "none"},
            "segmentation": {"core_vox": list(volume.core_vox), "preset": "classical"},
        }
        (self.root / f"{name}.yaml").write_text(yaml.safe_dump(document))
        services = self._services()
        folder = RunFolder(services.store, name, "run-1")
        folder.begin(pin_run(RunParameters(dataset=name), folder.run, self.root, services.server))
        return folder

    def _services(self) -> DvidServices:
        return DvidServices(S3Store.open(self.stack.s3), DvidServer(self.stack.dvid))

    def _driven(self, folder: RunFolder, stage: str) -> float:
        driver = self._driver(folder, stage)
        with _cpu_of(driver.pid) as cpu:
            code = driver.wait()
        assert code == 0, (self.root / "driver.log").read_text()[-3000:]
        return cpu.seconds

    def _killed(self, folder: RunFolder, stage: str) -> float:
        """CPU of a driver that is killed when a part of its items is done."""
        context = folder.pinned_context(self._services)
        items = sum(len(phase.items(context)) for phase in phases_of(stage))
        driver = self._driver(folder, stage)
        with _cpu_of(driver.pid) as cpu:
            while driver.poll() is None and self._done_items(folder, stage) < KILLED_AT * items:
                time.sleep(0.5)
            with suppress(ProcessLookupError):  # it has ended: the driver after it finds all items
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
        time.sleep(1)
        return cpu.seconds

    def _done_items(self, folder: RunFolder, stage: str) -> int:
        context = folder.pinned_context(self._services)
        return sum(len(context.folder(phase.name).done_items()) for phase in phases_of(stage))

    def _committed(self, folder: RunFolder, stage: str) -> dict[str, str]:
        """The attempt of each item that is done."""
        context = folder.pinned_context(self._services)
        folders = [context.folder(phase.name) for phase in phases_of(stage)]
        found = [marker for each in folders for marker in each.item_markers(sorted(each.done_items()))]
        return {f"{marker.phase}/{marker.item}": marker.attempt for marker in found}

    def _driver(self, folder: RunFolder, stage: str) -> subprocess.Popen[bytes]:
        submit = Path(sys.executable).with_name("spark-submit")
        environment = {
            **os.environ,
            **self.stack.environment(),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PATH": os.pathsep.join([str(submit.parent), os.environ["PATH"]]),
        }
        main = PROJECT / "spark_jobs" / "run_stage.py"
        conf = ["--conf=spark.ui.enabled=false", f"--conf=spark.driver.defaultJavaOptions={ONE_COMPILER}"]
        command = [str(submit), "--master", "local[2]", *conf, str(main), stage]
        with (self.root / "driver.log").open("wb") as log:
            return subprocess.Popen(
                [*command, folder.dataset, folder.run], env=environment, stdout=log, stderr=log, start_new_session=True
            )


class Mirrored:
    """An array that goes on as its mirror image, no section of which comes twice; only what is asked for is made."""

    def __init__(self, array: np.ndarray, shape: tuple[int, ...]) -> None:
        self._array, self.shape, self.dtype = array, shape, array.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        axes = []
        for along, length, size in zip(index, self.shape, self._array.shape, strict=True):
            at = np.arange(*along.indices(length)) % (2 * size - 2)
            axes.append(np.minimum(at, 2 * size - 2 - at))
        return self._array[np.ix_(*axes)]


@dataclass
class Cpu:
    """CPU of a process and all that came from it, as last seen."""

    seconds: float = 0.0


@contextmanager
def _cpu_of(pid: int) -> Iterator[Cpu]:
    """Looks twice a second; what a process did in its last half second is not seen."""
    seen, ended, cpu = {}, threading.Event(), Cpu()

    def look() -> None:
        while not ended.wait(0.5):
            try:
                root = psutil.Process(pid)
                for each in [root, *root.children(recursive=True)]:
                    times = each.cpu_times()
                    seen[each.pid, each.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
            cpu.seconds = sum(seen.values())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield cpu
    finally:
        ended.set()
        watcher.join()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
