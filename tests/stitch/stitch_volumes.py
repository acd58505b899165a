"""Volumes cut into overlapping subvolumes with fresh local ids, as segmentation leaves them, and put together again."""

from __future__ import annotations

import cc3d
import fastremap
import numpy as np

from emseg.geometry import Box, Grid
from emseg.stitch import (
    Contacts,
    Evidence,
    Mapping,
    Pieces,
    Votes,
    contacts_of,
    count_votes,
    pieces_of,
    supervoxel_ids,
)

VOXEL_SIZE_NM = (10.0, 10.0, 10.0)


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
                found.append(count_votes(overlap, *slabs, VOXEL_SIZE_NM))
    return found


def core_of(pieces: dict[int, np.ndarray], grid: Grid, number: int) -> np.ndarray:
    subvolume = grid.subvolume(number)
    return np.ascontiguousarray(pieces[number][subvolume.core.slices(subvolume.padded.start)])


def evidence_of(pieces: dict[int, np.ndarray], grid: Grid) -> Evidence:
    return Evidence(
        Votes.joined(votes_of(pieces, grid)),
        Pieces.joined(pieces_of(core_of(pieces, grid, n), n, grid.subvolume(n).core, grid.bounds) for n in pieces),
        Contacts.joined(contacts_of(core_of(pieces, grid, n), n, VOXEL_SIZE_NM) for n in pieces),
    )


def assembled(pieces: dict[int, np.ndarray], grid: Grid, mapping: Mapping) -> np.ndarray:
    volume = np.zeros(grid.bounds.shape, np.uint64)
    for number in pieces:
        core = core_of(pieces, grid, number)
        volume[grid.subvolume(number).core.slices()] = mapping.body_of(supervoxel_ids(core, number))
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
