"""One task of phase `write`, as a run does it, beside what DVID alone needs for the same blocks.

A synthetic volume is segmented and stitched on a real DVID, started here in a folder of its own; then one brick is
written again and again: blocks of the stored segmentation counted, encoded, downsampled, posted and read back at every
scale. Beside it the blocks are made and not sent, and ready bytes of the same blocks are posted and read back bare.
Wall time, because the server works, too.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from benchmarks.dvid import VOXEL_SIZE_NM, bare_read, open_node, posted
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.config import RunParameters
from emseg.dvid import BLOCK_VOX, Labelmap, Node
from emseg.engine.items import InProcess
from emseg.geometry import Box
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.labelmaps import segmentation as segmentation_of
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.work import WriteBrick
from emseg.store import FolderStore
from emseg.synthetic import make_volume
from emseg.tasks.jobs import run_stage
from emseg.tasks.pin import pin_run

MAX_SCALE, ROUNDS = 2, 15
SHAPE = (BLOCK_VOX << MAX_SCALE,) * 3
BRICK = "br-00000000"
BLOCKS = [Box.of_shape((1 << (MAX_SCALE - scale),) * 3) for scale in range(MAX_SCALE + 1)]


def run() -> list[Row]:
    """Time of the task and of the bare requests, and the memory of the task."""
    with TemporaryDirectory() as folder, open_node() as node:
        services = DvidServices(FolderStore(Path(folder, "store")), node.server)
        return _rows(_stitched(services, node, Path(folder)))


def _stitched(services: DvidServices, node: Node, folder: Path) -> RunContext[DvidServices]:
    made = make_volume(SHAPE, seed=5)
    ingest_grayscale(node, "grayscale", ArrayVolume(made.grayscale, "grayscale"), VOXEL_SIZE_NM)
    ingest_labels(node, "groundtruth", ArrayVolume(made.groundtruth, "groundtruth"), VOXEL_SIZE_NM)
    node.commit("benchmark volume")
    document = {
        "name": "bench",
        "description": "one brick",
        "volume": {"node": node.uuid, "groundtruth": {"instance": "groundtruth"}},
        "segmentation": {"core_vox": [128, 128, 128]},
        "output": {"instance": "segmentation", "max_scale": MAX_SCALE},
    }
    (folder / "bench.yaml").write_text(yaml.safe_dump(document))
    spec = pin_run(RunParameters(dataset="bench"), "write", folder, services.server)
    run = RunContext(spec, "first", lambda: services)
    for stage in ("segment", "stitch"):
        run = run_stage(stage, run, InProcess()).run
    return run


def _rows(run: RunContext[DvidServices]) -> list[Row]:
    written, attempts = segmentation_of(run), count()

    def task() -> object:
        again = replace(run, attempt=f"again-{next(attempts)}")
        return WriteBrick(again, np.empty(0, np.uint64))(BRICK)

    def blocks() -> None:
        pyramid, _ = WriteBrick(run, np.empty(0, np.uint64)).brick(BRICK)
        for _ in pyramid.blocks():
            pass

    name, made, bare = "write task", "blocks made and packed, none sent", "post of ready bytes, bare read back"
    times = side_by_side({name: task, made: blocks, bare: _bare(written)}, ROUNDS, time.perf_counter)
    voxels = int(np.prod(SHAPE))
    said = f"synthetic {'x'.join(map(str, SHAPE))}, scales 0 to {MAX_SCALE}"
    added = median(
        (task_s - made_s) / bare_s
        for task_s, made_s, bare_s in zip(*(times.seconds[each] for each in (name, made, bare)), strict=True)
    )
    tracemalloc.start()
    task()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [
        *(Row(f"{said}: {each}", 1e9 * times.median_s(each) / voxels, "ms/Mvoxel") for each in times.seconds),
        Row(f"{said}: {name} / {bare}", times.ratio(name, bare), "x"),
        Row(f"{said}: what sending and reading back add to the task / {bare}", added, "x"),
        Row(f"{said}: {name}, peak memory", peak / voxels, "bytes per voxel"),
    ]


def _bare(written: Labelmap) -> Callable[[], None]:
    """Post the blocks of `written` as they are stored into another instance of its node, and ask for them."""
    other = Labelmap(written.node, "bare")
    other.create(MAX_SCALE, VOXEL_SIZE_NM)
    bodies = [bare_read(written, box, scale) for scale, box in enumerate(BLOCKS)]

    def post_and_read() -> None:
        for scale, body in enumerate(bodies):
            posted(other, body, scale)
            bare_read(other, BLOCKS[scale], scale)

    return post_and_read
