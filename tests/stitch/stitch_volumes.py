"""Volumes cut into overlapping subvolumes with fresh local ids, as segmentation leaves them, and put together again."""

from __future__ import annotations

import cc3d
import fastremap
import numpy as np

from emseg.geometry import Box, Grid
from emseg.stitch import Mapping, Votes, count_votes, supervoxel_ids


def cut(labels: np.ndarray, grid: Grid, cells: list[int], seed: int) -> dict[int, np.ndarray]:
    """Labels of each padded cell renamed to 1, 2, ... in an order of its own, one name per body and cell."""
    rng = np.random.default_rng(seed)
    pieces = {}
    for number in cells:
        part = labels[grid.subvolume(number).padded.slices()]
        renamed, names = fastremap.renumber(part.astype(np.uint64), in_place=False)
        order = np.concatenate([[0], rng.permutation(len([n for n in names if n])) + 1]).astype(np.uint32)
        pieces[number] = order[renamed]
    return pieces


def votes_of(pieces: dict[int, np.ndarray], grid: Grid) -> list[Votes]:
    found = []
    for number in pieces:
        for other in grid.neighbours(number):
            if other > number and other in pieces:
                overlap = grid.overlap(number, other)
                slabs = (
                    pieces[side.number][overlap.region.slices(side.padded.start)]
                    for side in (overlap.first, overlap.second)
                )
                found.append(count_votes(overlap, *slabs))
    return found


def assembled(pieces: dict[int, np.ndarray], grid: Grid, mapping: Mapping) -> np.ndarray:
    volume = np.zeros(grid.bounds.shape, np.uint64)
    for number, labels in pieces.items():
        subvolume = grid.subvolume(number)
        core = labels[subvolume.core.slices(subvolume.padded.start)]
        volume[subvolume.core.slices()] = mapping.body_of(supervoxel_ids(core, number))
    return volume


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
