"""Volumes and tables to stitch; `benchmarks.restitch.Cut` cuts the volumes and puts them together again."""

from __future__ import annotations

import cc3d
import numpy as np
from benchmarks.restitch import Cut

from emseg.geometry import Box, Grid
from emseg.stitch import Contacts, Votes


def cut(labels: np.ndarray, grid: Grid, seed: int, cells: list[int] | None = None) -> Cut:
    """All cells, or some of them, each with names 1, 2, ... of its own in an order of its own."""
    every = list(range(grid.shape.product))
    return Cut.into(labels, grid, every if cells is None else cells, np.random.default_rng(seed))


def components(labels: np.ndarray) -> np.ndarray:
    """Oracle: the 6-connected components of equal labels (connected-components-3d)."""
    return cc3d.connected_components(labels, connectivity=6)


def blobs(shape: tuple[int, int, int], seed: int, bodies: int = 14) -> np.ndarray:
    """A Voronoi volume with some empty cells: bodies of all sizes that touch each other everywhere."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, shape, size=(bodies, 3))
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    nearest = np.argmin(((grid[..., None, :] - seeds) ** 2).sum(-1), axis=-1)
    names = np.where(rng.random(bodies) < 0.2, 0, np.arange(1, bodies + 1)).astype(np.uint32)
    return names[nearest]


def grid_over(labels: np.ndarray, core: int, halo: int) -> Grid:
    return Grid(Box.of_shape(labels.shape), (core,) * 3, (halo,) * 3)


def vote_table(*rows: tuple) -> Votes:
    """Rows of (first, second, shared, first voxels, second voxels[, first reaches, second reaches]); both reach."""
    full = [(*row[:5], 0.0, *(row[5:] or (True, True))) for row in rows]
    columns = list(zip(*full, strict=True)) or [()] * 8
    types = [np.uint64, np.uint64, np.int64, np.int64, np.int64, np.float64, bool, bool]
    return Votes(*(np.array(column, kind) for column, kind in zip(columns, types, strict=True)))


def contact_table(*rows: tuple[int, int, float]) -> Contacts:
    """Rows of (first, second, area in nm2)."""
    columns = list(zip(*rows, strict=True)) or [()] * 3
    return Contacts(*(np.array(c, kind) for c, kind in zip(columns, (np.uint64, np.uint64, np.float64), strict=True)))
