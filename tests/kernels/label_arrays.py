"""Label arrays for the tests of kernels: like real ones, and like no real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Shape = tuple[int, ...]
Indices = npt.NDArray[np.intp]


def solid(shape: Shape, _labels: int, _rng: np.random.Generator) -> Indices:
    return np.zeros(shape, np.intp)


def bodies(shape: Shape, labels: int, rng: np.random.Generator) -> Indices:
    """Each voxel belongs to the nearest of some seeds: compact bodies with smooth faces, as in a segmentation."""
    seeds = rng.random((min(labels, 12), len(shape))) * shape
    voxels = np.moveaxis(np.indices(shape), 0, -1)
    return np.argmin([((voxels - seed) ** 2).sum(-1) for seed in seeds], axis=0)


def specks(shape: Shape, labels: int, rng: np.random.Generator) -> Indices:
    """Bodies with wrong voxels in them."""
    found = bodies(shape, labels, rng)
    wrong = rng.random(shape) < 0.05
    found[wrong] = rng.integers(0, labels, np.count_nonzero(wrong))
    return found


def stripes(shape: Shape, labels: int, rng: np.random.Generator) -> Indices:
    """Another label at each step along one axis: no voxel equals its neighbour, or whole rows equal none."""
    return np.indices(shape)[rng.integers(len(shape))] % labels


def noise(shape: Shape, labels: int, rng: np.random.Generator) -> Indices:
    return rng.integers(0, labels, shape)


KINDS: tuple[Callable[[Shape, int, np.random.Generator], Indices], ...] = (solid, bodies, specks, stripes, noise)


@st.composite
def label_arrays(draw: st.DrawFn, shapes: st.SearchStrategy[Shape], dtype: str, largest: int = 2**64 - 1) -> Any:
    """Labels of one of the kinds, from 1 to 600 different ones, with 0 and the largest among the possible ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    top = min(largest, np.iinfo(dtype).max)
    few_or_many = draw(st.sampled_from([1, 2, 3, 5, 40, 600]))
    some = rng.integers(0, top, few_or_many, np.uint64, endpoint=True)
    palette = rng.permutation(np.append(some, np.array([0, top], np.uint64)))
    shape = draw(shapes)
    return palette[draw(st.sampled_from(KINDS))(shape, few_or_many, rng)].astype(dtype)
