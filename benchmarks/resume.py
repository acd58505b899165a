"""A large run in its driver: planning a million subvolumes, running a million items, and finding what is done.

The work on the million items is left out: their markers are made, like those of `segment`. Planning and running are
measured in processes of their own, so that each peak of memory is its own; they need Linux's /proc. The markers
are real ones, committed to a folder; an object store adds its own round trips (a thousand keys a listing).
"""

from __future__ import annotations

import multiprocessing
import time
import tracemalloc
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from hashlib import md5, sha256
from itertools import islice
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.memory import memory_bytes
from benchmarks.rows import Row
from emseg.engine.items import InProcess, Work
from emseg.engine.progress import Progress
from emseg.engine.run import KEPT_AT_ONCE, PhaseRun, run_phase
from emseg.geometry import Box, Grid, Roi
from emseg.store import Artefact, FolderStore, ItemMarker, Markers, PhaseFolder, StoredObject, sums
from emseg.store.markers import ITEM

CELLS_A_SIDE = 100
CORE_VOX = 64
ROI_BLOCK_VOX = 32
ITEMS = 100_000
MANY = 1_000_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATISTICS = tuple(f"figure_{number}" for number in range(12))
"""As many as `segment` counts."""


def run() -> list[Row]:
    """Seconds and memory of planning; seconds of the decisions to skip items and to skip a whole phase."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        rows = process.submit(planned).result()
    for measured in (driven, decided):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            rows += process.submit(measured).result()
    with TemporaryDirectory() as folder:
        return rows + _resumed(PhaseFolder(FolderStore(Path(folder)), "bench", "segment", "0" * 32, "bench"))


def planned() -> list[Row]:
    """Choose the subvolumes that a filled ROI touches and lay out their boxes, as the task `plan` does."""
    side = CELLS_A_SIDE * CORE_VOX
    grid = Grid(Box.of_shape((side, side, side)), (CORE_VOX, CORE_VOX, CORE_VOX), (20, 20, 20))
    blocks = np.indices((side // ROI_BLOCK_VOX,) * 3, np.int32).reshape(3, -1).T
    roi = Roi(np.ascontiguousarray(blocks), ROI_BLOCK_VOX)
    del blocks
    before_mb, started = memory_bytes("VmRSS") / 1e6, time.perf_counter()
    cells = roi.cells_of(grid)
    chosen = time.perf_counter()
    subvolumes = [grid.subvolume(number) for number in cells]
    laid = time.perf_counter()
    assert len(subvolumes) == CELLS_A_SIDE**3, len(subvolumes)
    what = f"{len(cells):.0e} subvolumes"
    return [
        Row(f"{what}: chosen by an ROI of {len(roi.blocks):.0e} blocks", chosen - started, "s"),
        Row(f"{what}: their cores and padded boxes", laid - chosen, "s"),
        Row(f"{what}: peak memory of both, above the ROI's own", memory_bytes("VmHWM") / 1e6 - before_mb, "MB"),
    ]


class Made:
    """Gives the markers of items that nobody computed."""

    def outcomes(self, _: Work, items: Sequence[str], __: Progress) -> Iterator[ItemMarker]:
        """One outcome an item, in order."""
        key = "0" * 32
        for number, item in enumerate(items):
            digest = sha256(item.encode()).hexdigest()
            labels = Artefact("labels", f"bench/phases/segment/{key}/attempt-bench/{item}/labels", 10**6, digest, 2500)
            yield ItemMarker("segment", key, item, "bench", (labels,), dict.fromkeys(STATISTICS, number))


def driven() -> list[Row]:
    """Run a phase of a million items, whose sums are told, and read its manifest."""
    items = tuple(f"sv-{number:08d}" for number in range(MANY))
    before_mb, started = memory_bytes("VmRSS") / 1e6, time.perf_counter()

    with TemporaryDirectory() as root:
        folder = PhaseFolder(FolderStore(Path(root)), "bench", "segment", "0" * 32, "bench")
        run_phase(PhaseRun(folder.phase, items, lambda: _never, lambda m: sums(m, STATISTICS[:4])), folder, Made())
        ran, peak_mb = time.perf_counter(), memory_bytes("VmHWM") / 1e6 - before_mb
        assert len(folder.manifest()) == MANY
        read = time.perf_counter()
    what = f"{MANY:.0e} items of segment, without their work"
    few = items[: MANY // 100]
    tracemalloc.start()
    unpacked = list(Made().outcomes(_never, few, Progress("", len(few))))
    unpacked_b, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    packed_b = sum(map(len, Markers.of(unpacked).parts.values()))
    return [
        Row("a marker of segment, packed", packed_b / len(few), "bytes"),
        Row("a marker of segment, as an object of Python", unpacked_b / len(few), "bytes"),
        Row(f"{what}: run, four sums, and marked", ran - started, "s"),
        Row(f"{what}: peak memory of the driver above the names of the items", peak_mb, "MB"),
        Row(f"{what}: manifest read and verified", read - ran, "s"),
        Row(f"{what}: peak memory with that", memory_bytes("VmHWM") / 1e6 - before_mb, "MB"),
    ]


class Listing(FolderStore):
    """Lists markers of items that nobody wrote, with their MD5, as an S3 server lists those that were written."""

    listed: tuple[StoredObject, ...] = ()

    def objects_under(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """The listing; only its pages' round trips are left out."""
        if not prefix.endswith("/items"):
            yield from super().objects_under(prefix, after)
            return
        yield from islice(self.listed, bisect_right(self.listed, after, key=attrgetter("key")), None)


def decided() -> list[Row]:
    """Find that a million items are done, of a phase whose driver was lost before it marked the phase."""
    items = tuple(f"sv-{number:08d}" for number in range(MANY))
    with TemporaryDirectory() as root:
        store = Listing(Path(root))
        folder = PhaseFolder(store, "bench", "segment", "0" * 32, "bench")
        markers = Made().outcomes(_never, items, Progress("", MANY))
        store.listed = tuple(_kept(folder, markers))
        before_mb, started = memory_bytes("VmRSS") / 1e6, time.perf_counter()
        found = folder.committed(items)
        ended, peak_mb = time.perf_counter(), memory_bytes("VmHWM") / 1e6 - before_mb
        assert len(found) == MANY
        store.listed = tuple(each for number, each in enumerate(store.listed) if number % KEPT_AT_ONCE)
        begun = time.perf_counter()
        assert len(folder.committed(items)) == len(store.listed) == MANY - MANY // KEPT_AT_ONCE
        some_missing_s = time.perf_counter() - begun
    what = f"{MANY:.0e} items of segment, their markers kept together"
    return [
        Row(f"{what}: deciding that all are done, without the round trips of the listing", ended - started, "s"),
        Row(f"{what}: peak memory of that", peak_mb, "MB"),
        Row(f"{what}: the same where one of each {KEPT_AT_ONCE} is missing", some_missing_s, "s"),
    ]


def _kept(folder: PhaseFolder, markers: Iterator[ItemMarker]) -> Iterator[StoredObject]:
    while some := list(islice(markers, KEPT_AT_ONCE)):
        folder.keep_so_far(Markers.of(some))
        for each in some:
            key = f"bench/phases/segment/{folder.phase_key}/items/{each.item}.json"
            data = ITEM.stored_form(each, key)
            yield StoredObject(key, len(data), NOW, md5(data, usedforsecurity=False).hexdigest())


def _resumed(folder: PhaseFolder) -> list[Row]:
    items = tuple(f"sv-{number:08d}" for number in range(ITEMS))
    phase = PhaseRun(folder.phase, items, lambda: _never, lambda markers: {"items": len(markers)})
    times = [time.perf_counter()]
    for item in items:
        folder.commit_item(item, [], {"voxels": 1})
    times.append(time.perf_counter())
    assert len(folder.done_items()) == ITEMS
    times.append(time.perf_counter())
    for _ in range(2):
        summary = run_phase(phase, folder, InProcess()).summary
        assert (summary.items_done, summary.items_reused) == (0, ITEMS), summary
        times.append(time.perf_counter())
    commit, listing, first, again = np.diff(times).tolist()
    what = f"{ITEMS:.0e} items in a folder"
    return [
        Row(f"{what}: committing one", 1e6 * commit / ITEMS, "us"),
        Row(f"{what}: listing what is done", listing, "s"),
        Row(f"{what}: resuming a phase that lacks only its own marker", first, "s"),
        Row(f"{what}: skipping a phase that is done", again, "s"),
    ]


def _never(item: str) -> ItemMarker:
    raise AssertionError(f"{item} was computed again")
