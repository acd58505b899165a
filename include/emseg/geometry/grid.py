"""The grid that cuts a volume into subvolumes, and who overlaps whom, by index arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from emseg.errors import PermanentError
from emseg.geometry.box import ORIGIN, Box
from emseg.geometry.coordinate import Coordinate
from emseg.geometry.supervoxel_ids import MAX_CELLS

_PREFIX = "sv-"


@dataclass(frozen=True, order=True)
class Subvolume:
    """One cell of the grid: the core it owns and the padded box (core + halo) it is computed on, both ZYX voxels."""

    number: int
    cell: Coordinate
    core: Box
    padded: Box

    @property
    def name(self) -> str:
        """Id used in keys and messages: the number of the cell, e.g. `sv-00000042`."""
        return f"{_PREFIX}{self.number:08d}"


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
        across = self.second.cell - self.first.cell
        shared = self.first.core.clipped(self.second.core)  # it has no voxel across: there both cores end
        return shared.grown(across * across)


@dataclass(frozen=True, init=False)
class Grid:
    """Cells of `core_vox` voxels anchored at voxel 0 of the volume's space, clipped to `bounds`, padded by `halo_vox`.

    Because of the anchor, a cell and its supervoxel ids depend on where it lies and on nothing else: another ROI of
    the same volume gives the same subvolumes where the two overlap. Worked example: bounds (0,0,0)-(125,250,250), core
    (64,128,128) has 2 x 2 x 2 = 8 cells; cell (1,1,1) is number 7 with core (64,128,128)-(125,250,250).
    """

    bounds: Box
    core_vox: Coordinate
    halo_vox: Coordinate

    def __init__(self, bounds: Box, core_vox: tuple[int, int, int], halo_vox: tuple[int, int, int]) -> None:
        """Lay the grid; PermanentError for a halo larger than the core, and for more cells than there are ids."""
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "core_vox", Coordinate.of(core_vox))
        object.__setattr__(self, "halo_vox", Coordinate.of(halo_vox))
        if min(self.core_vox) <= 0 or min(self.halo_vox) < 0 or not self.halo_vox.is_within(self.core_vox):
            raise PermanentError(
                "laying the grid of subvolumes",
                f"core_vox {self.core_vox}, halo_vox {self.halo_vox}",
                "the halo is negative or larger than the core, so a subvolume would overlap more than its neighbours",
                "Give 0 <= halo_vox <= core_vox on every axis",
            )
        if self.shape.product > MAX_CELLS:
            raise PermanentError(
                "laying the grid of subvolumes",
                f"bounds {self.bounds.start}-{self.bounds.stop}, core_vox {self.core_vox}",
                f"{self.shape.product} cells, but ids have room for {MAX_CELLS}",
                "Use a larger core",
            )

    @cached_property
    def cells(self) -> Box:
        """The cells that share a voxel with the bounds, counted from voxel 0 of the volume's space."""
        return self.bounds.coarser(self.core_vox)

    @cached_property
    def shape(self) -> Coordinate:
        """Cells along Z, Y, X."""
        return self.cells.shape

    def number_of(self, cell: tuple[int, int, int]) -> int:
        """Number of a cell in C order; cell (0, 0, 0) is the first that the bounds touch."""
        _, ny, nx = self.shape
        return (cell[0] * ny + cell[1]) * nx + cell[2]

    def cell_of(self, number: int) -> Coordinate:
        """Inverse of `number_of`."""
        _, ny, nx = self.shape
        return Coordinate(number // (ny * nx), number // nx % ny, number % nx)

    def subvolume(self, number: int) -> Subvolume:
        """The subvolume of a cell, core and padded box clipped to the bounds."""
        cell = self.cell_of(number)
        core = Box.of_shape(self.core_vox, (self.cells.start + cell) * self.core_vox).clipped(self.bounds)
        return Subvolume(number, cell, core, core.grown(self.halo_vox).clipped(self.bounds))

    def subvolume_named(self, name: str) -> Subvolume:
        """The subvolume with this `Subvolume.name`."""
        return self.subvolume(int(name.removeprefix(_PREFIX)))

    def neighbours(self, number: int) -> Iterator[int]:
        """Numbers of the up to 26 cells that share a face, an edge or a corner with a cell, ascending."""
        cell = self.cell_of(number)
        around = Box(cell - 1, cell + 2).clipped(Box(ORIGIN, self.shape))
        numbers = map(self.number_of, around.coordinates())
        return (other for other in numbers if other != number)

    def overlap(self, a: int, b: int) -> Overlap:
        """The overlap of two neighbouring cells, the earlier one first."""
        return Overlap(self.subvolume(min(a, b)), self.subvolume(max(a, b)))

    def cells_touching(self, box: Box) -> Iterator[int]:
        """Numbers of the cells whose core shares a voxel with `box`, ascending."""
        inside = box.clipped(self.bounds)
        if not inside.is_empty:
            for cell in inside.coarser(self.core_vox).translated(-self.cells.start).coordinates():
                yield self.number_of(cell)
