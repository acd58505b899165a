"""Counting label pairs, the inner loop of evaluation: emseg, scikit-image, and packed keys with fastremap.

The others do a little less (they keep ground truth 0), so the ratios flatter them. Labels come in runs along X; emseg
looks a run up once, so its lead grows with their length, which is a row of its own.
"""

from __future__ import annotations

import fastremap
import numpy as np
from skimage.metrics import adapted_rand_error, variation_of_information
from skimage.metrics import contingency_table as skimage_table

from benchmarks.data import LabelledEm, labelled_em
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.array_types import Counts, Ids, Labels32
from emseg.evaluate import contingency_table, parts_of, score
from emseg.geometry import Box

ROUNDS = 7
OURS, SKIMAGE, PACKED = "emseg", "scikit-image", "packed keys, fastremap.unique"
PARTS = "components of the ground truth, emseg"
LARGEST_DIFFERENCE = 1e-9


def run() -> list[Row]:
    """Time of one table, ratios, and how far the scores lie from scikit-image's."""
    em = labelled_em()
    seg, truth = em.supervoxels, em.groundtruth
    whole = Box.of_shape(truth.shape)
    times = side_by_side(
        {
            OURS: lambda: contingency_table(seg, truth),
            SKIMAGE: lambda: skimage_table(truth, seg),
            PACKED: lambda: packed_counts(seg, truth),
            PARTS: lambda: parts_of(truth, whole, whole),
        },
        ROUNDS,
    )
    ms_a_mvoxel = 1e9 / seg.size
    rows = [Row(f"{em.name}: {name}", times.median_s(name) * ms_a_mvoxel, "ms/Mvoxel") for name in times.seconds]
    rows += [Row(f"{em.name}: {name} / {OURS}", times.ratio(name, OURS), "x") for name in (SKIMAGE, PACKED)]
    return [*rows, Row(f"{em.name}: mean run of equal pairs", _mean_run(seg, truth), "voxels"), *_differences(em)]


def packed_counts(seg: Labels32, truth: Labels32) -> tuple[Ids, Counts]:
    """Pairs as `segment << 32 | body`, ascending, and the voxels of each."""
    pairs, counts = fastremap.unique((seg.astype(np.uint64) << np.uint64(32)) | truth, return_counts=True)
    return pairs, counts


def _mean_run(seg: Labels32, truth: Labels32) -> float:
    a, b = seg.ravel(), truth.ravel()
    return float(a.size / (1 + np.count_nonzero((a[1:] != a[:-1]) | (b[1:] != b[:-1]))))


def _differences(em: LabelledEm) -> list[Row]:
    ours = score(contingency_table(em.supervoxels, em.groundtruth))
    split, merge = variation_of_information(em.groundtruth, em.supervoxels, ignore_labels=(0,))
    error, _, _ = adapted_rand_error(em.groundtruth, em.supervoxels)
    pairs = {
        "VI split, bits": (ours.vi_split, split),
        "VI merge, bits": (ours.vi_merge, merge),
        "adapted Rand error": (ours.adapted_rand_error, error),
    }
    rows = [Row(f"{em.name}: |emseg - scikit-image|, {n}", abs(a - float(b)), "") for n, (a, b) in pairs.items()]
    assert all(row.value <= LARGEST_DIFFERENCE for row in rows), rows
    return rows
