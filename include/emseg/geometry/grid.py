"""The grid that cuts a volume into subvolumes, and who overlaps whom, by index arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from emseg.errors import PermanentError
from emseg.geometry.box import Box, Vec

MAX_CELLS = 1 << 24
"""Cells of a grid: a supervoxel id keeps 24 bits for the cell and 24 for the label inside it (48 bits in all)."""

_STEPS = tuple(step for step in product((-1, 0, 1), repeat=3) if step != (0, 0, 0))


@dataclass(frozen=True, order=True)
class Subvolume:
    """One cell of the grid: the core it owns and the padded box (core + halo) it is computed on, both ZYX voxels."""

    number: int
    cell: Vec
    core: Box
    padded: Box

    @property
    def name(self) -> str:
        """Id used in keys and messages: the cell's place in the grid, e.g. `sv-00000042`."""
        return f"sv-{self.number:08d}"


@dataclass(frozen=True)
class Overlap:
    """Where two neighbours (over a face, an edge or a corner) saw the same voxels. `first` comes before `second`."""

    first: Subvolume
    second: Subvolume

    @cached_property
    def region(self) -> Box:
        """The voxels both computed: up to 2 x halo thick across the interface."""
        return self.first.padded.clipped(self.second.padded)

    @cached_property
    def interface(self) -> Box:
        """The voxels of either core that lie at the shared face, edge or corner: 2 thick across, core-long along it."""
        starts, stops = [], []
        for axis in range(3):
            a, b = self.first.core, self.second.core
            if self.first.cell[axis] == self.second.cell[axis]:
                starts.append(max(a.start[axis], b.start[axis]))
                stops.append(min(a.stop[axis], b.stop[axis]))
            else:
                meeting = max(a.start[axis], b.start[axis])
                starts.append(meeting - 1)
                stops.append(meeting + 1)
        return Box((starts[0], starts[1], starts[2]), (stops[0], stops[1], stops[2]))


@dataclass(frozen=True)
class Grid:
    """Cells of `core_vox` voxels anchored at voxel 0 of the volume's space, clipped to `bounds`, padded by `halo_vox`.

    Anchoring at 0 makes a cell, and so a supervoxel id, a function of place: another ROI in the same volume gives the
    same subvolumes where the two overlap. Worked example: bounds (0,0,0)-(125,250,250), core (64,128,128) has
    2 x 2 x 2 = 8 cells; cell (1,1,1) is number 7 with core (64,128,128)-(125,250,250).
    """

    bounds: Box
    core_vox: Vec
    halo_vox: Vec

    def __post_init__(self) -> None:
        if any(h < 0 or c <= 0 or h > c for c, h in zip(self.core_vox, self.halo_vox, strict=True)):
            raise PermanentError(
                "laying the grid of subvolumes",
                f"core_vox {self.core_vox}, halo_vox {self.halo_vox}",
                "the halo is negative or larger than the core, so a subvolume would overlap more than its neighbours",
                "Give 0 <= halo_vox <= core_vox on every axis",
            )
        if prod(self.shape) > MAX_CELLS:
            raise PermanentError(
                "laying the grid of subvolumes",
                f"bounds {self.bounds.start}-{self.bounds.stop}, core_vox {self.core_vox}",
                f"{prod(self.shape)} cells, but ids have room for {MAX_CELLS}",
                "Use a larger core",
            )

    @cached_property
    def _first_cell(self) -> Vec:
        z, y, x = (a // c for a, c in zip(self.bounds.start, self.core_vox, strict=True))
        return z, y, x

    @cached_property
    def shape(self) -> Vec:
        """Cells along Z, Y, X."""
        covered = self.bounds.covering(self.core_vox).shape
        z, y, x = (n // c for n, c in zip(covered, self.core_vox, strict=True))
        return z, y, x

    def number_of(self, cell: Vec) -> int:
        """Place of a cell in C order; a cell is counted from the first cell that the bounds touch."""
        _, ny, nx = self.shape
        return (cell[0] * ny + cell[1]) * nx + cell[2]

    def cell_of(self, number: int) -> Vec:
        """Inverse of `number_of`."""
        _, ny, nx = self.shape
        return number // (ny * nx), number // nx % ny, number % nx

    def subvolume(self, number: int) -> Subvolume:
        """The subvolume of a cell, core and padded box clipped to the bounds."""
        cell = self.cell_of(number)
        start = tuple((f + i) * c for f, i, c in zip(self._first_cell, cell, self.core_vox, strict=True))
        core = Box.of_shape(self.core_vox, (start[0], start[1], start[2])).clipped(self.bounds)
        return Subvolume(number, cell, core, core.grown(self.halo_vox).clipped(self.bounds))

    def neighbours(self, number: int) -> Iterator[int]:
        """Numbers of the up to 26 cells that share a face, an edge or a corner with a cell, ascending."""
        cell = self.cell_of(number)
        for step in _STEPS:
            other = (cell[0] + step[0], cell[1] + step[1], cell[2] + step[2])
            if all(0 <= i < n for i, n in zip(other, self.shape, strict=True)):
                yield self.number_of(other)

    def overlap(self, a: int, b: int) -> Overlap:
        """The overlap of two neighbouring cells, the earlier one first."""
        return Overlap(self.subvolume(min(a, b)), self.subvolume(max(a, b)))

    def cells_touching(self, box: Box) -> Iterator[int]:
        """Numbers of the cells whose core shares a voxel with `box`, ascending."""
        inside = box.clipped(self.bounds)
        if inside.is_empty:
            return
        covered = inside.covering(self.core_vox)
        ranges = [
            range(a // c - f, b // c - f)
            for a, b, c, f in zip(covered.start, covered.stop, self.core_vox, self._first_cell, strict=True)
        ]
        for cell in product(*ranges):
            yield self.number_of((cell[0], cell[1], cell[2]))
