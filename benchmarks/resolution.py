"""Resolution of very many votes in one process: time and peak memory, at 10^6 and 10^7 candidates.

The votes are made: a line of cells with supervoxels, each with votes for the next cell, some of them weak, and contacts
inside a cell. Each size runs in a process of its own, whose peak memory the operating system tells.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks.memory import forget_peak, memory_bytes
from benchmarks.rows import Row
from emseg.config.stitching import Stitching
from emseg.geometry import LOCAL_BITS
from emseg.stitch import Contacts, Evidence, Supervoxels, Votes, resolve

SIZES = (10**6, 10**7)
SUPERVOXELS_A_CELL = 50
VOXEL_SIZE_NM = (10.0, 10.0, 10.0)


def run() -> list[Row]:
    """Seconds, peak memory, and bytes a candidate of each size."""
    rows: list[Row] = []
    for candidates in SIZES:
        command = [sys.executable, "-m", "benchmarks.resolution", str(candidates)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        found = json.loads(done.stdout)
        said = f"made votes, {found['candidates']} candidates and {found['contacts']} contacts"
        rows += [
            Row(f"{said}: resolution, CPU", found["cpu_s"], "s"),
            Row(f"{said}: peak memory, input included", found["peak_bytes"] / 2**30, "GiB"),
            Row(f"{said}: peak memory above the input", found["added_bytes"] / found["candidates"], "bytes/candidate"),
        ]
    return rows


def made(candidates: int, seed: int = 0) -> Evidence:
    """Supervoxels in a line of cells; each has a vote with one of the next cell, of which some are weak."""
    rng = np.random.default_rng(seed)
    cells = candidates // SUPERVOXELS_A_CELL
    local = np.arange(1, SUPERVOXELS_A_CELL + 1, dtype=np.uint64)
    ids = ((np.arange(cells + 1, dtype=np.uint64) << np.uint64(LOCAL_BITS))[:, None] | local).ravel()
    first = ids[:-SUPERVOXELS_A_CELL]
    second = ids[SUPERVOXELS_A_CELL:]
    size = rng.integers(2000, 200_000, len(first))
    shared = (size * rng.choice([0.6, 0.95, 0.99], len(first), p=[0.1, 0.3, 0.6])).astype(np.int64)
    reaches = np.ones(len(first), bool)
    votes = Votes(first, second, shared, size, shared + size // 100, shared * 10.0, reaches, reaches)
    pair = np.flatnonzero(np.arange(len(ids)) % SUPERVOXELS_A_CELL != SUPERVOXELS_A_CELL - 1)
    touching = Contacts(ids[pair], ids[pair + 1], rng.exponential(2e5, len(pair)))
    return Evidence(votes, Supervoxels(ids, np.full(len(ids), 50_000), np.zeros(len(ids), np.uint8)), touching)


def measure(candidates: int) -> dict[str, float]:
    """Resolve `candidates` made votes in this process."""
    resolve(made(10 * SUPERVOXELS_A_CELL), Stitching(), VOXEL_SIZE_NM)  # compiles
    evidence = made(candidates)
    forget_peak()
    before, started = memory_bytes("VmRSS"), time.process_time()
    counts = resolve(evidence, Stitching(), VOXEL_SIZE_NM).counts
    return {
        "candidates": counts["candidates"],
        "contacts": len(evidence.contacts),
        "cpu_s": time.process_time() - started,
        "peak_bytes": memory_bytes("VmHWM"),
        "added_bytes": memory_bytes("VmHWM") - before,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
