"""A synthetic volume: EM-like grayscale and the exact bodies in it, from a seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Gray, Labels64
from emseg.geometry import Box
from emseg.synthetic.packing import pack_bodies
from emseg.synthetic.rendering import render


@dataclass(frozen=True, eq=False)
class SyntheticVolume:
    """Grayscale uint8 and ground truth uint64, both ZYX. Each body is 6-connected; 0 is blank in both."""

    grayscale: Gray
    groundtruth: Labels64


def make_volume(shape: tuple[int, int, int], seed: int, blank: Box | None = None) -> SyntheticVolume:
    """Dense neuropil of `shape` voxels (ZYX), equal bytes for equal arguments; `blank` was never imaged.

    Neurites of 5 to 35 voxels radius run through the whole volume and branch, so most of the tissue belongs to bodies
    that cross several subvolumes. About 0.6 s a megavoxel on one core, 35 bytes a voxel.
    """
    tissue = np.ones(shape, bool)
    if blank is not None:
        tissue[blank.clipped(Box.of_shape(shape)).slices()] = False
    rng = np.random.default_rng(seed)
    bodies = pack_bodies(tissue, rng)
    return SyntheticVolume(render(bodies, rng), bodies.astype(np.uint64))
