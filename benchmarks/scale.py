"""Resolution of 10^3, 10^4 and 10^5 subvolumes: `make bench-scale`, the same as `python -m benchmarks scale`.

No voxel is needed: the tables of `match` are those of a small volume, laid side by side (`tiled_evidence.py`). All else
is what a run uses: phases, markers, manifests and waves, in a pool of two processes, over a store that counts its
requests and may answer later. Each size is resolved in a process of its own, so that the peak of its driver is its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.memory import memory_bytes
from benchmarks.pool import Pool
from benchmarks.rows import Row
from benchmarks.slow_store import SlowStore, requests_so_far
from benchmarks.tiled_evidence import CORE, HALO, TiledEvidence, small_volume
from emseg.codec import decode_table, encode_table
from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.engine.run import PhaseRun, run_phase
from emseg.phases import phase_named
from emseg.phases.match.artefacts import CONTACTS, SUPERVOXELS, VOTES
from emseg.phases.resolve.artefacts import CANDIDATES
from emseg.phases.resolve.items import JOIN
from emseg.phases.run_context import RunContext
from emseg.stitch import Contacts, Evidence, Supervoxels, Votes
from emseg.store import FolderStore, ItemMarker
from emseg.tasks.jobs import run_phases
from emseg.tasks.local import LocalServices, run_on_array

SIDES = (10, 22, 46)
"""Cells a side: 1000, 10 648 and 97 336 subvolumes."""
PROCESSES = 2
LATE = 22
LATE_MS = 20
"""Side of the volume that is resolved twice, once with a store that answers so much later."""
ROOM = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
"""Memory in place of a disk, where there is some: what is measured is emseg."""
_KINDS = (VOTES, SUPERVOXELS, CONTACTS)


def run() -> Iterator[Row]:
    """Seconds, memory and requests by size, and how much a late store costs."""
    with TemporaryDirectory() as small:
        _keep_small(FolderStore(Path(small)))
        for side in SIDES:
            figures = _measured(small, side)
            yield from _rows(side, figures)
            if side == LATE:
                late = _measured(small, side, LATE_MS)["wall_s"] / figures["wall_s"]
                yield Row(f"{LATE**3} subvolumes: resolve, store {LATE_MS} ms later", late, "x")


def _measured(small: str, side: int, delay_ms: int = 0) -> dict[str, float]:
    """Figures of one size: a process that leaves what `match` leaves, and then one that resolves it."""
    with TemporaryDirectory(dir=ROOM if ROOM.is_dir() else None) as folder:
        retried = _in_a_process("matched", folder, str(side), small)
        return retried | _in_a_process("resolved", folder, str(side), str(delay_ms))


def _in_a_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scale", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _rows(side: int, figures: dict[str, float]) -> list[Row]:
    cells = side**3
    what = f"{cells} subvolumes, {figures['candidates']:.3g} candidates, {figures['weak_share']:.0%} weak"
    return [
        Row(f"{what}: resolve, wall", figures["wall_s"], "s"),
        Row(f"{what}: resolve, CPU of all processes", 1e3 * figures["cpu_s"] / cells, "ms/subvolume"),
        Row(f"{what}: resolve, requests", figures["requests"] / cells, "requests/subvolume"),
        Row(f"{what}: resolve, peak memory of the driver", figures["driver_mb"], "MB"),
        Row(f"{what}: resolve, peak memory of a task", figures["task_mb"], "MB"),
        Row(f"{what}: candidates that the last region sees", 100 * figures["seen_last"] / figures["candidates"], "%"),
        Row(
            f"{what}: pairs kept apart that it sees",
            100 * figures["pairs_last"] / figures["candidates"],
            "% of candidates",
        ),
        Row(f"{what}: a retry that finds all of `match` done but its marker", figures["resume_s"], "s"),
    ]


@dataclass(frozen=True)
class Opened:
    """Opens the services of a simulated run: its store, and no volume."""

    folder: Path
    delay_s: float

    def __call__(self) -> LocalServices:
        """The services of this process."""
        return _opened(self)


@cache
def _opened(opened: Opened) -> LocalServices:
    store = SlowStore(opened.folder / "store", opened.folder / "counts", opened.delay_s)
    return LocalServices(store, np.zeros((CORE,) * 3, np.uint8), None)


@dataclass(frozen=True)
class Matched:
    """Leaves what `match` leaves of a subvolume."""

    run: RunContext[LocalServices]
    small: str
    side: int

    def __call__(self, item: str) -> ItemMarker:
        """The tables of the subvolume of this name."""
        cell, evidence = int(item.removeprefix("sv-")), _tiled(self.small, self.side)
        tables = {
            VOTES: evidence.votes(cell),
            SUPERVOXELS: evidence.supervoxels(cell),
            CONTACTS: evidence.contacts(cell),
        }
        folder = self.run.folder("match")
        written = [artefact.write(folder, item, table.to_arrow()) for artefact, table in tables.items()]
        return folder.commit_item(item, written, {artefact.name: len(table) for artefact, table in tables.items()})


@dataclass(frozen=True)
class Segmented:
    """Leaves the marker of a subvolume, and no labels."""

    run: RunContext[LocalServices]

    def __call__(self, item: str) -> ItemMarker:
        """The marker."""
        return self.run.folder("segment").commit_item(item, [], {"quarantined": 0})


def matched(folder: Path, side: int, small: str) -> dict[str, float]:
    """Simulate `segment` and `match`, and a retry of it."""
    run = _run(folder, side, 0)
    with _pool() as pool:
        for phase, work in (("segment", Segmented(run)), ("match", Matched(run, small, side))):
            _done(run, phase, work, side, pool)
    return {"resume_s": _resumed(run, side)}


def resolved(folder: Path, side: int, delay_ms: int) -> dict[str, float]:
    """Resolve what is in `folder`, in this process and two more."""
    run = _run(folder, side, delay_ms)
    with _pool() as pool:
        while len(cpu_s := _cpu(pool)) < 1 + PROCESSES:  # a process that starts late is not counted to `resolve`
            continue
        before, started = requests_so_far(folder / "counts"), time.perf_counter()
        run_phases("stitch", (phase_named("resolve"),), run, pool)
        wall_s, used_s = time.perf_counter() - started, sum(_cpu(pool)) - sum(cpu_s)
        requests, driver_mb = requests_so_far(folder / "counts") - before, memory_bytes("VmHWM") / 1e6
        task_mb = max(pool.each(_peak_mb, 64))
    results = run.folder("resolve")
    joins = [marker for marker in results.manifest() if marker.item.startswith(JOIN)]
    last, first = joins[-1], [marker for marker in joins if marker.item.startswith(f"{JOIN}-0")]
    weak = CANDIDATES.read_all(results, first)["weak"].to_numpy()
    return {
        "wall_s": wall_s,
        "cpu_s": used_s,
        "requests": requests,
        "driver_mb": driver_mb,
        "task_mb": task_mb,
        "seen_last": int(last.statistics["candidates"]),
        "pairs_last": int(last.statistics["apart"]),
        "candidates": len(weak),
        "weak_share": float(weak.mean()),
    }


def _run(folder: Path, side: int, delay_ms: int) -> RunContext[LocalServices]:
    cut = Segmentation(core_vox=(CORE,) * 3, halo_vox=(HALO,) * 3)
    opened = Opened(folder, delay_ms / 1000)
    made = run_on_array(np.zeros((CORE,) * 3, np.uint8), cut, Stitching(), opened().store)
    volume = made.spec.volume.model_copy(update={"bounds_stop": (side * CORE,) * 3})
    return RunContext(made.spec.model_copy(update={"volume": volume}), "bench", opened)


def _done(run: RunContext[LocalServices], phase: str, work: Matched | Segmented, side: int, pool: Pool) -> None:
    items = tuple(f"sv-{cell:08d}" for cell in range(side**3))
    run_phase(PhaseRun(phase, items, lambda: work, lambda _: {}), run.folder(phase), pool)


def _resumed(run: RunContext[LocalServices], side: int) -> float:
    """A driver that finds all items of `match` and no marker of the phase."""
    run.folder("match").unmark()
    started = time.perf_counter()
    items = tuple(f"sv-{cell:08d}" for cell in range(side**3))
    run_phase(PhaseRun("match", items, lambda: Segmented(run), lambda _: {}), run.folder("match"), InProcess())
    return time.perf_counter() - started


@contextmanager
def _pool() -> Iterator[Pool]:
    pool = Pool(PROCESSES, chunk=16)
    try:
        yield pool
    finally:
        pool.stop()


def _keep_small(store: FolderStore) -> None:
    _, small = small_volume()
    for artefact, table in zip(_KINDS, (small.votes, small.supervoxels, small.contacts), strict=True):
        store.put(artefact.name, encode_table(table.to_arrow()))


@cache
def _tiled(small: str, side: int) -> TiledEvidence:
    store = FolderStore(Path(small))
    votes, supervoxels, contacts = (decode_table(store.get(each.name), each.schema) for each in _KINDS)
    known = Evidence(Votes.from_arrow(votes), Supervoxels.from_arrow(supervoxels), Contacts.from_arrow(contacts))
    return TiledEvidence(known, side)


def _cpu(pool: Pool) -> list[float]:
    """CPU of this process and of those of the pool, told by each at least once."""
    told = dict(pool.each(_cpu_s, 64))
    return [time.process_time(), *told.values()]


def _cpu_s(_: int) -> tuple[int, float]:
    time.sleep(0.01)
    return os.getpid(), time.process_time()


def _peak_mb(_: int) -> float:
    time.sleep(0.01)
    return memory_bytes("VmHWM") / 1e6


if __name__ == "__main__":
    what, where, along, last = sys.argv[1:]
    folder, side = Path(where), int(along)
    print(json.dumps(matched(folder, side, last) if what == "matched" else resolved(folder, side, int(last))))
