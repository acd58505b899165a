"""How good each shipped pipeline is, and what it costs: trained on one half of a labelled volume, scored on the other.

The volume is halved along Y and along Z and all halves take turns, and one turn is repeated with another seed: the
spread of the figures is what place and chance alone do.
Time and memory are those of segmentation alone, halos and stitching included, in a process of its own with one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.data import LabelledEm, labelled_em
from benchmarks.rows import Row
from benchmarks.trained import Y, Z, half, trained_on
from emseg.evaluate import contingency_table, score

UNTRAINED, TRAINED = ("classical",), ("default", "best")
TURNS = ((Y, 0, 1, 0), (Y, 1, 0, 0), (Z, 0, 1, 0), (Z, 1, 0, 0), (Z, 0, 1, 1))
"""Halved along which axis, trained on which half, scored on which, with which seed."""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Measured:
    """One pipeline on one held-out half: scores in bits and shares, cost for each voxel of the half."""

    vi_split: float
    vi_merge: float
    are: float
    cpu_s_per_mvoxel: float
    bytes_per_voxel: float
    training_s: float


def run() -> list[Row]:
    """Mean over the turns, and the lowest and highest VI."""
    em = labelled_em()
    rows: list[Row] = []
    for preset in (*UNTRAINED, *TRAINED):
        found = list(_turns(preset, em))
        rows += _rows(f"{em.name}, held-out halves, {preset}", found)
    return rows


def _turns(preset: str, em: LabelledEm) -> Iterator[Measured]:
    for axis, learned, scored_on, seed in TURNS:
        if preset in UNTRAINED and seed:
            continue
        with TemporaryDirectory() as folder:
            model, seconds = "-", 0.0
            if preset in TRAINED:
                result = trained_on(half(em, axis, learned), preset, seed)
                model, seconds = f"{folder}/model", sum(result.report.seconds.values())
                result.model.write(Path(model))
            found = _measured(preset, model, *half(em, axis, scored_on), Path(folder), seconds)
        turn = f"halves along {'ZYX'[axis]}, trained on {learned + 1}, scored on {scored_on + 1}, seed {seed}"
        print(f"  {preset}, {turn}: VI {found.vi_split + found.vi_merge:.3f}", file=sys.stderr, flush=True)
        yield found


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
        result = score(contingency_table(arrays["labels"], truth))
    return Measured(
        result.vi_split,
        result.vi_merge,
        result.adapted_rand_error,
        cost["cpu_s"] / gray.size * 1e6,
        cost["bytes_per_voxel"],
        training_s,
    )


def _rows(name: str, found: list[Measured]) -> list[Row]:
    vi = [each.vi_split + each.vi_merge for each in found]
    rows = [
        Row(f"{name}: VI split", mean(each.vi_split for each in found), "bits"),
        Row(f"{name}: VI merge", mean(each.vi_merge for each in found), "bits"),
        Row(f"{name}: VI", mean(vi), "bits"),
        Row(f"{name}: VI, best turn", min(vi), "bits"),
        Row(f"{name}: VI, worst turn", max(vi), "bits"),
        Row(f"{name}: adapted Rand error", mean(each.are for each in found), ""),
        Row(f"{name}: segmentation", mean(each.cpu_s_per_mvoxel for each in found), "CPU-s/Mvoxel"),
        Row(f"{name}: peak memory", max(each.bytes_per_voxel for each in found), "bytes/voxel"),
    ]
    if found[0].training_s:
        rows.append(Row(f"{name}: training", mean(each.training_s for each in found), "s"))
    return rows
