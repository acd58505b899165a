"""What is measured on: real EM from ../shared/data (EMSEG_SHARED names another folder), else a synthetic volume.

Every array comes with the name of its source, which the rows carry, so that no figure can be read without it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.synthetic import make_volume

PROJECT = Path(__file__).resolve().parents[1]
SHAPE = (128, 256, 256)
SEED = 7
_CELL_VOX = 24


@dataclass(frozen=True, eq=False)
class LabelledEm:
    """Grayscale uint8, ground truth and an over-segmentation of it uint32, all ZYX of one shape."""

    name: str
    grayscale: npt.NDArray[np.uint8]
    groundtruth: npt.NDArray[np.uint32]
    supervoxels: npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels of a whole volume, uint32 of `SHAPE`: two rows of 64^3 blocks."""

    name: str
    labels: npt.NDArray[np.uint32]


def labelled_em() -> LabelledEm:
    """A part of the Drosophila medulla with ground truth, or the synthetic volume."""
    file = _shared() / "medulla" / "labelled-125x250x250.npz"
    if not file.is_file():
        return _synthetic()
    with np.load(file, allow_pickle=False) as arrays:
        return LabelledEm("medulla 125x250x250", arrays["grayscale"], arrays["groundtruth"], arrays["supervoxels"])


@dataclass(frozen=True, eq=False)
class UnlabelledEm:
    """Grayscale uint8 of 250 voxels a side."""

    name: str
    grayscale: npt.NDArray[np.uint8]


def unlabelled_em() -> UnlabelledEm:
    """A part of the Drosophila medulla without ground truth, or a synthetic volume of its size."""
    file = _shared() / "medulla" / "unlabelled-250x250x250.npz"
    if not file.is_file():
        return UnlabelledEm("synthetic 250x250x250", make_volume((250, 250, 250), seed=SEED).grayscale)
    with np.load(file, allow_pickle=False) as arrays:
        return UnlabelledEm("medulla 250x250x250", arrays["grayscale"])


def segmentations() -> list[Segmentation]:
    """Two real segmentations of few and of many labels, or the synthetic ground truth and an over-segmentation."""
    found = []
    for name in ("multicut-256", "simple-256"):
        file = _shared() / "labels" / f"{name}.npz"
        if file.is_file():
            with np.load(file, allow_pickle=False) as arrays:
                found.append(Segmentation(f"{name} 128x256x256", np.ascontiguousarray(arrays["labels"][: SHAPE[0]])))
    made = [] if found else [_synthetic()]
    for em in made:
        found += [Segmentation(f"{em.name} bodies", em.groundtruth), Segmentation(f"{em.name} cut", em.supervoxels)]
    return found


@cache
def _synthetic() -> LabelledEm:
    volume = make_volume(SHAPE, SEED)
    truth = volume.groundtruth
    z, y, x = np.ogrid[tuple(slice(n) for n in SHAPE)]
    per_axis = -(-max(SHAPE) // _CELL_VOX)
    cell = ((z // _CELL_VOX * per_axis) + y // _CELL_VOX) * per_axis + x // _CELL_VOX
    cut = np.where(truth == 0, np.uint64(0), truth * np.uint64(per_axis**3) + cell.astype(np.uint64))
    supervoxels, _ = fastremap.renumber(cut)
    return LabelledEm("synthetic 128x256x256", volume.grayscale, truth.astype(np.uint32), supervoxels.astype(np.uint32))


def _shared() -> Path:
    return Path(os.environ.get("EMSEG_SHARED", PROJECT.parent / "shared" / "data"))
