"""Sums over the tiles of a grayscale volume, in one pass over its voxels: all image checks begin with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from emseg.kernels.compiled import compiled
from emseg.segment.protocol import Gray

Figures = npt.NDArray[np.float64]
Edges = npt.NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

REACH = 5
"""Sections are compared with up to this many sections before them."""
FLAT = 1.5
"""Tiles and blocks whose gray levels deviate by less hold no signal; clean tissue has 4 and more even in 80 nm."""


@dataclass(frozen=True, eq=False)
class SectionTiles:
    """Sums over the tiles of every section, float64 (Z, tiles Y, tiles X).

    `rough` sums the squared differences to the mean of the four neighbours in the section, `change[k - 1]` the absolute
    differences to the section k before. The first k sections have none before them, and their sums are 0.
    """

    voxels: Figures
    total: Figures
    squares: Figures
    rough: Figures
    change: Figures

    @property
    def deviation(self) -> Figures:
        """Standard deviation of the gray levels."""
        return np.sqrt(np.maximum(self.squares / self.voxels - (self.total / self.voxels) ** 2, 0))

    def windows(self) -> SectionTiles:
        """The same over windows of 2 x 2 tiles, each tile in up to four of them."""
        return SectionTiles(*(_two_by_two(s) for s in (self.voxels, self.total, self.squares, self.rough, self.change)))


@dataclass(frozen=True, eq=False)
class Blocks:
    """Mean, deviation and share of voxels at 255 of cuboids of a volume, float64."""

    mean: Figures
    deviation: Figures
    bright: Figures


def tile_edges(length: int, side: int) -> Edges:
    """Where tiles of at least `side` voxels begin and end: 40 voxels in tiles of 16 are 0, 20, 40."""
    return np.linspace(0, length, max(1, length // side) + 1).astype(np.int64)


def section_tiles(gray: Gray, y_edges: Edges, x_edges: Edges) -> SectionTiles:
    """Sums of `gray`, uint8 ZYX."""
    sums, change = _section_sums(gray, y_edges, x_edges, REACH)
    area = np.outer(np.diff(y_edges), np.diff(x_edges)).astype(np.float64)
    return SectionTiles(np.broadcast_to(area, sums.shape[1:]), sums[0], sums[1], sums[2], change)


def blocks(gray: Gray, edges: tuple[Edges, Edges, Edges]) -> Blocks:
    """Figures of the cuboids between `edges` on each axis."""
    total, squares, bright = _block_sums(gray, *edges)
    voxels = np.einsum("i,j,k->ijk", *(np.diff(e).astype(np.float64) for e in edges))
    mean = total / voxels
    return Blocks(mean, np.sqrt(np.maximum(squares / voxels - mean**2, 0)), bright / voxels)


def spread(tiles: npt.NDArray[Scalar], edges: tuple[Edges, ...]) -> npt.NDArray[Scalar]:
    """Values of tiles on their voxels, along the last axes; one array of edges an axis."""
    for axis, each in enumerate(edges, tiles.ndim - len(edges)):
        tiles = tiles.repeat(np.diff(each), axis=axis)
    return tiles


def _two_by_two(sums: Figures) -> Figures:
    for axis in (-2, -1):
        n = sums.shape[axis]
        if n > 1:
            sums = sums.take(range(n - 1), axis) + sums.take(range(1, n), axis)
    return sums


@compiled
def _section_sums(gray, y_edges, x_edges, reach):  # type: ignore[no-untyped-def]
    depth, height, width = gray.shape
    rows, columns = len(y_edges) - 1, len(x_edges) - 1
    sums = np.zeros((3, depth, rows, columns))
    change = np.zeros((reach, depth, rows, columns))
    moved = np.zeros(reach, np.int64)
    for z in range(depth):
        for a in range(rows):
            for b in range(columns):
                total, squares, rough = np.int64(0), np.int64(0), np.int64(0)
                moved[:] = 0
                for y in range(y_edges[a], y_edges[a + 1]):
                    for x in range(x_edges[b], x_edges[b + 1]):
                        value = np.int64(gray[z, y, x])
                        total += value
                        squares += value * value
                        if 0 < y < height - 1 and 0 < x < width - 1:
                            around = (
                                np.int64(gray[z, y - 1, x]) + gray[z, y + 1, x] + gray[z, y, x - 1] + gray[z, y, x + 1]
                            )
                            rough += (4 * value - around) ** 2
                    for k in range(min(reach, z)):
                        difference = np.int64(0)
                        for x in range(x_edges[b], x_edges[b + 1]):
                            difference += abs(np.int32(gray[z, y, x]) - np.int32(gray[z - 1 - k, y, x]))
                        moved[k] += difference
                sums[0, z, a, b], sums[1, z, a, b], sums[2, z, a, b] = total, squares, rough / 16
                for k in range(reach):
                    change[k, z, a, b] = moved[k]
    return sums, change


@compiled
def _block_sums(gray, z_edges, y_edges, x_edges):  # type: ignore[no-untyped-def]
    shape = (len(z_edges) - 1, len(y_edges) - 1, len(x_edges) - 1)
    total, squares, bright = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for a in range(shape[0]):
        for z in range(z_edges[a], z_edges[a + 1]):
            for b in range(shape[1]):
                for y in range(y_edges[b], y_edges[b + 1]):
                    for c in range(shape[2]):
                        s, q, w = np.int64(0), np.int64(0), np.int64(0)
                        for x in range(x_edges[c], x_edges[c + 1]):
                            value = np.int64(gray[z, y, x])
                            s += value
                            q += value * value
                            w += value == 255
                        total[a, b, c] += s
                        squares[a, b, c] += q
                        bright[a, b, c] += w
    return total, squares, bright
