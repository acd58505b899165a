"""How good each shipped pipeline is, and what it costs: trained on one half of a labelled volume, scored on the other.

The volume is halved along each axis and all halves take turns, and the turns along Z are repeated with two other seeds:
the spread of the figures is what place and chance alone do. False joins are counted by the size of their smaller side
(`false_joins.py`): VI and adapted Rand error of one turn hang on one or two joins of large bodies.
Time and memory are those of segmentation alone, halos and stitching included, in a process of its own with one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.data import labelled_em
from benchmarks.false_joins import BINS, false_joins
from benchmarks.rows import Row
from benchmarks.trained import X, Y, Z, half, trained_on
from emseg.evaluate import contingency_table, score

UNTRAINED, TRAINED = ("classical",), ("default", "best")
Turn = tuple[int, int, int, int]
"""Halved along which axis, trained on which half, scored on which, with which seed."""
TURNS: tuple[Turn, ...] = (
    *((axis, half, 1 - half, 0) for axis in (Z, Y, X) for half in (0, 1)),
    *((Z, half, 1 - half, seed) for half in (0, 1) for seed in (1, 2)),
)
PROCESSES = 2
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Measured:
    """One pipeline on one held-out half: scores in bits and shares, cost for each voxel of the half."""

    vi_split: float
    vi_merge: float
    are: float
    false_joins: tuple[int, ...]
    falsely_joined: tuple[float, ...]
    cpu_s_per_mvoxel: float
    bytes_per_voxel: float
    training_s: float

    @property
    def vi(self) -> float:
        """VI split + VI merge."""
        return self.vi_split + self.vi_merge


def run() -> list[Row]:
    """For each pipeline the mean over the turns, the range, and the range over seeds."""
    name = labelled_em().name
    rows: list[Row] = []
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        for preset in (*UNTRAINED, *TRAINED):
            turns = [turn for turn in TURNS if preset in TRAINED or not turn[3]]
            found = list(processes.map(_turn, [preset] * len(turns), turns))
            rows += _rows(f"{name}, held-out halves, {preset}", dict(zip(turns, found, strict=True)))
    return rows


def _turn(preset: str, turn: Turn) -> Measured:
    axis, learned, scored_on, seed = turn
    em = labelled_em()
    with TemporaryDirectory() as folder:
        model, seconds = "-", 0.0
        if preset in TRAINED:
            result = trained_on(half(em, axis, learned), preset, seed)
            model, seconds = f"{folder}/model", sum(result.report.seconds.values())
            result.model.write(Path(model))
        found = _measured(preset, model, *half(em, axis, scored_on), Path(folder), seconds)
    turn_name = f"halves along {'ZYX'[axis]}, trained on {learned + 1}, scored on {scored_on + 1}, seed {seed}"
    print(
        f"  {preset}, {turn_name}: VI {found.vi_split:.3f} + {found.vi_merge:.3f} = {found.vi:.3f}, "
        f"ARE {found.are:.3f}, false joins {' '.join(map(str, found.false_joins))}",
        file=sys.stderr,
        flush=True,
    )
    return found


def _measured(
    preset: str,
    model: str,
    gray: npt.NDArray[np.uint8],
    truth: npt.NDArray[np.uint32],
    folder: Path,
    training_s: float,
) -> Measured:
    np.savez(folder / "in.npz", grayscale=gray)
    command = [sys.executable, "-m", "benchmarks.segment_once", f"{folder}/in.npz", preset, model, f"{folder}/out.npz"]
    done = subprocess.run(command, env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, check=True)
    cost = json.loads(done.stdout.splitlines()[-1])
    with np.load(folder / "out.npz", allow_pickle=False) as arrays:
        table = contingency_table(arrays["labels"], truth)
    result, (joins, shares) = score(table), false_joins(table)
    return Measured(
        result.vi_split,
        result.vi_merge,
        result.adapted_rand_error,
        tuple(joins.tolist()),
        tuple(shares.tolist()),
        cost["cpu_s"] / gray.size * 1e6,
        cost["bytes_per_voxel"],
        training_s,
    )


def _rows(name: str, of_turn: dict[Turn, Measured]) -> list[Row]:
    found = list(of_turn.values())
    rows = [
        Row(f"{name}: VI split", mean(each.vi_split for each in found), "bits"),
        Row(f"{name}: VI merge", mean(each.vi_merge for each in found), "bits"),
        *_spread(f"{name}: VI", of_turn, lambda each: each.vi, "bits"),
        *_spread(f"{name}: adapted Rand error", of_turn, lambda each: each.are, ""),
    ]
    for k, size in enumerate(BINS):
        rows += [
            Row(f"{name}: false joins, smaller side {size}", mean(each.false_joins[k] for each in found), ""),
            Row(f"{name}: voxels of these", mean(100 * each.falsely_joined[k] for each in found), "%"),
        ]
    rows += [
        Row(f"{name}: segmentation", mean(each.cpu_s_per_mvoxel for each in found), "CPU-s/Mvoxel"),
        Row(f"{name}: peak memory", max(each.bytes_per_voxel for each in found), "bytes/voxel"),
    ]
    if found[0].training_s:
        rows.append(Row(f"{name}: training", mean(each.training_s for each in found), "s"))
    return rows


def _spread(name: str, of_turn: dict[Turn, Measured], figure: Callable[[Measured], float], unit: str) -> list[Row]:
    """Mean, best and worst turn; and worst minus best over the seeds of one half, where there are several."""
    values = [figure(each) for each in of_turn.values()]
    of_half: dict[tuple[int, ...], list[float]] = {}
    for turn, value in zip(of_turn, values, strict=True):
        of_half.setdefault(turn[:3], []).append(value)
    ranges = [max(each) - min(each) for each in of_half.values() if len(each) > 1]
    rows = [Row(name, mean(values), unit), Row(f"{name}, best turn", min(values), unit)]
    rows.append(Row(f"{name}, worst turn", max(values), unit))
    return rows + ([Row(f"{name}, worst minus best of three seeds", mean(ranges), unit)] if ranges else [])
