"""One false bridge in a hundred random subvolumes: how much volume wrongly joins, with constraints and without.

The ground truth is cut into subvolumes that are right about everything, but for one: there two bodies that touch have
one label. Wrongly joined are the voxels of a stitched body that are not of its largest true body. What the bridging
subvolume itself holds of the smaller of the two is wrong whatever a stitcher does; it is a row of its own.
"""

from __future__ import annotations

from statistics import mean, median

import numpy as np

from benchmarks.data import labelled_em
from benchmarks.restitch import VOXEL_SIZE_NM, Cut
from benchmarks.rows import Row
from emseg.array_types import AnyLabels, Labels64
from emseg.config.stitching import Constraints, Stitching, StitchMode
from emseg.evaluate import contingency_table
from emseg.geometry import MAX_LOCAL
from emseg.stitch import contacts_of, resolve

SEEDS, CORE_VOX, HALO_VOX = 100, 64, 10
OFF = Constraints(kept_apart_nm2=None, max_weak_um3=None)
RULES = {
    "medium, without constraints": Stitching(mode=StitchMode.MEDIUM, constraints=OFF),
    "medium, with constraints": Stitching(mode=StitchMode.MEDIUM),
    "aggressive, without constraints": Stitching(mode=StitchMode.AGGRESSIVE, constraints=OFF),
    "aggressive, with constraints": Stitching(mode=StitchMode.AGGRESSIVE),
}


def run() -> list[Row]:
    """Mean, median and worst share of the volume that is wrongly joined, for each set of rules."""
    em = labelled_em()
    clean = Cut.of(em.groundtruth, CORE_VOX, HALO_VOX, 0.0, seed=0)
    lost: dict[str, list[float]] = {name: [] for name in (*RULES, "the bridging supervoxel itself")}
    for seed in range(SEEDS):
        cut, own = bridged(clean, seed)
        lost["the bridging supervoxel itself"].append(100 * own / em.groundtruth.size)
        evidence = cut.evidence()
        for name, stitching in RULES.items():
            bodies = cut.bodies(resolve(evidence, stitching, VOXEL_SIZE_NM).mapping)
            lost[name].append(100 * wrongly_joined(bodies, em.groundtruth) / em.groundtruth.size)
    said = f"{em.name} cut at {CORE_VOX}, one false bridge, {SEEDS} seeds"
    return [
        Row(f"{said}: {name}, {what}", value, "% of the volume")
        for name, shares in lost.items()
        for what, value in (("mean", mean(shares)), ("median", median(shares)), ("worst", max(shares)))
    ]


def bridged(cut: Cut, seed: int) -> tuple[Cut, int]:
    """The cut with two touching supervoxels of one subvolume made one, and the voxels of the smaller in its core."""
    rng = np.random.default_rng(seed)
    while True:
        number = int(rng.choice(sorted(cut.labels)))
        contacts = contacts_of(cut.core(number), number, VOXEL_SIZE_NM)
        if len(contacts):
            break
    row = int(rng.integers(len(contacts)))
    one, other = (np.uint32(int(ids[row]) & MAX_LOCAL) for ids in (contacts.first, contacts.second))
    core = cut.core(number)
    smaller = min(int((core == label).sum()) for label in (one, other))
    labels = cut.labels[number].copy()
    labels[labels == other] = one
    return Cut(cut.grid, {**cut.labels, number: labels}), smaller


def wrongly_joined(bodies: Labels64, truth: AnyLabels) -> int:
    """Voxels that are not of the largest true body of their stitched body."""
    table = contingency_table(bodies, truth)
    _, segment = np.unique(table.segmentation, return_inverse=True)
    largest = np.zeros(segment.max() + 1, np.int64)
    np.maximum.at(largest, segment, table.count)
    return int(table.count.sum() - largest.sum())
