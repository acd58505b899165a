"""How many errors the gate lets a good segmentation gain over the served release, and how often it trips on none.

The release joins the supervoxels of a volume as the ground truth has them. A candidate is the release with k random
errors more: two touching bodies run together, or one body falls apart at a plane through its middle. The gate trips at
the smallest k at which a row of `gate.regression` fails, with the limits that a dataset file has by default. Clean are
two segmentations that are equally good: in each of them, small supervoxels at random have gone to a body beside them.
They are compared on subvolumes that are drawn with repetition.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.data import labelled_em
from benchmarks.rows import Row
from benchmarks.seeded_errors import Volume, merged, noisy, split
from emseg.array_types import Ids
from emseg.config.gate import Regression
from emseg.config.groundtruth import Unassigned
from emseg.quality import Measured, against_release

SEEDS, RESAMPLES, MOST_ERRORS = 100, 1000, 60

Error = Callable[[Volume, Ids, np.random.Generator], Ids]
ERRORS: dict[str, Error] = {"merges": merged, "splits": split}


def run() -> list[Row]:
    """The k of each kind of error over seeds, what it costs, and the share of false alarms."""
    em = labelled_em()
    volume = Volume.of(em)
    rows = [Row(f"{em.name}: VI of the release", volume.measured(volume.body).score.vi, "bits")]
    for name, error in ERRORS.items():
        found = [_until_it_trips(volume, error, seed) for seed in range(SEEDS)]
        title = f"{em.name}: random {name} until the gate trips"
        counts = np.percentile([count for count, _ in found], (5, 50, 95))
        shares = ("5 % of the seeds", "median", "95 % of the seeds")
        rows += [Row(f"{title}, {share}", count, "errors") for share, count in zip(shares, counts, strict=True)]
        rows.append(Row(f"{title}, median cost", float(np.median([bits for _, bits in found])), "bits"))
    return [*rows, Row(f"{em.name}: false alarms, of {RESAMPLES} clean resamples", _false_alarms(volume), "share")]


def _trips(own: Measured, served: Measured) -> bool:
    rows = against_release(own, served, 1, Regression(), Unassigned.SEGMENT).rows
    return not all(row.keeps_limit for row in rows)


def _until_it_trips(volume: Volume, error: Error, seed: int) -> tuple[int, float]:
    """The smallest number of errors, in a random order of them, and how many bits of VI they cost."""
    random, body, count = np.random.default_rng(seed), volume.body, 0
    own = served = volume.measured(body)
    while not _trips(own, served) and count < MOST_ERRORS:
        body, count = error(volume, body, random), count + 1
        own = volume.measured(body)
    return count, own.score.vi - served.score.vi


def _false_alarms(volume: Volume) -> float:
    random, count, alarms = np.random.default_rng(0), len(volume.tables), 0
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, count, count), minlength=count)
        own, served = (volume.measured(noisy(volume, random), times) for _ in range(2))
        alarms += _trips(own, served)
    return alarms / RESAMPLES
