"""Time and memory of the gate on the tables of a large volume: `python -m benchmarks.gate_tables [MROWS]`, 10 million.

Two segmentations of one ground truth, 1000 rows a subvolume: the run that is judged, and the served release. Ten rows
of the subvolumes are one row of the whole, as bodies run on. Memory is that of this process above what it had before.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import numpy as np

from benchmarks.memory import forget_peak, memory_bytes
from benchmarks.rows import Row, shown
from emseg.config.gate import Regression
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import ContingencyTable, PerSubvolume
from emseg.quality import Measured, against_release

ROWS_OF_SUBVOLUME = 1000
SUBVOLUMES_OF_PAIR = 10


def tables(mrows: float, seed: int) -> Mapping[str, ContingencyTable]:
    """Tables of as many subvolumes as give `mrows` million rows. Every seed has the same voxels of the same bodies."""
    random, made = np.random.default_rng(seed), {}
    count = np.arange(1, ROWS_OF_SUBVOLUME + 1)
    for number in range(int(mrows * 1e6) // ROWS_OF_SUBVOLUME):
        first = number // SUBVOLUMES_OF_PAIR * ROWS_OF_SUBVOLUME
        bodies = np.arange(first + 1, first + 1 + ROWS_OF_SUBVOLUME, dtype=np.uint64)
        segments = bodies + random.integers(0, 2, ROWS_OF_SUBVOLUME).astype(np.uint64)
        made[f"sv-{number:06d}"] = ContingencyTable(segments, bodies, count)
    return made


def run(mrows: float = 10) -> list[Row]:
    """Seconds and peak of memory to put the tables together, and to compare two results."""
    before, name = memory_bytes("VmRSS"), f"{mrows:g} Mrows"
    of_tables = [tables(mrows, seed) for seed in (1, 2)]
    forget_peak()
    started = time.perf_counter()
    parts = [PerSubvolume.of(each) for each in of_tables]
    together = time.perf_counter()
    own, served = (Measured.of(each.score(), each, "ab", Unassigned.SEGMENT) for each in parts)
    against_release(own, served, 1, Regression(), Unassigned.SEGMENT)
    compared = time.perf_counter()
    peak = memory_bytes("VmHWM") - before
    return [
        Row(f"{name}: put together, a segmentation", (together - started) / 2, "s"),
        Row(f"{name}: scored, resampled and compared", compared - together, "s"),
        Row(f"{name}: peak of memory, a row of one segmentation", peak / mrows / 1e6 / 2, "B"),
    ]


if __name__ == "__main__":
    print(shown(run(*map(float, sys.argv[1:2]))))
