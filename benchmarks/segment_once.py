"""One segmentation in a process of its own, so that its time and memory are its own: `FILE PRESET MODEL OUT`.

Prints `{"cpu_s", "bytes_per_voxel"}`: CPU time of all threads, and how far the peak of resident memory rose, after a
small volume has had everything compiled and loaded.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.segment import ModelFolder
from emseg.store import FolderStore
from emseg.tasks.local import segment_array


def main(file: str, preset: str, model: str, out: str) -> None:
    """Segment FILE and write OUT; MODEL is a folder, or `-`."""
    with np.load(file, allow_pickle=False) as arrays:
        grayscale = arrays["grayscale"]
    trained = None if model == "-" else ModelFolder.read(Path(model))
    segmentation = Segmentation(preset=preset)
    with TemporaryDirectory() as folder:
        corner = np.ascontiguousarray(grayscale[:48, :48, :48])
        segment_array(corner, segmentation, Stitching(), FolderStore(Path(folder, "small")), model=trained)
        before, started = _memory("VmRSS"), time.process_time()
        labels = segment_array(grayscale, segmentation, Stitching(), FolderStore(Path(folder, "all")), model=trained)
        spent = time.process_time() - started
    peak = _memory("VmHWM") - before
    np.savez_compressed(out, labels=labels)
    print(json.dumps({"cpu_s": spent, "bytes_per_voxel": peak / grayscale.size}))


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main(*sys.argv[1:])
