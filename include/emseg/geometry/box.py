"""Boxes of voxels (or of blocks, or of cells): half-open, axis order Z, Y, X, immutable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product, starmap

from emseg.geometry.coordinate import Coordinate, Operand

ORIGIN = Coordinate(0, 0, 0)


@dataclass(frozen=True, order=True, init=False)
class Box:
    """The voxels v with start <= v < stop on every axis (Z, Y, X). Empty where stop <= start on any axis."""

    start: Coordinate
    stop: Coordinate

    def __init__(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> None:
        """Box from its first voxel to the corner behind its last, each a `Coordinate` or a plain triple."""
        object.__setattr__(self, "start", start if isinstance(start, Coordinate) else Coordinate.of(start))
        object.__setattr__(self, "stop", stop if isinstance(stop, Coordinate) else Coordinate.of(stop))

    @classmethod
    def of_shape(cls, shape: tuple[int, ...], start: tuple[int, int, int] = ORIGIN) -> Box:
        """Box of `shape` voxels, such as an array's, whose first voxel is `start`. ValueError without three axes."""
        first = start if isinstance(start, Coordinate) else Coordinate.of(start)
        return cls(first, first + (shape if isinstance(shape, Coordinate) else Coordinate.of(shape)))

    def __str__(self) -> str:
        """For people: `(0, 0, 0) to (64, 64, 64)`."""
        return f"{self.start} to {self.stop}"

    @property
    def shape(self) -> Coordinate:
        """Voxels along Z, Y, X (never negative)."""
        return (self.stop - self.start).maximum(0)

    @property
    def voxels(self) -> int:
        """Number of voxels inside."""
        return self.shape.product

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return self.voxels == 0

    @property
    def centre(self) -> tuple[float, float, float]:
        """Half way between the two corners."""
        z, y, x = self.start + self.stop
        return z / 2, y / 2, x / 2

    def coordinates(self) -> Iterator[Coordinate]:
        """Every voxel (block, cell) inside, the last axis fastest."""
        return starmap(Coordinate, product(*map(range, self.start, self.stop)))

    def grown(self, margin: Operand) -> Box:
        """A box larger by `margin` voxels on both sides of each axis (smaller where negative)."""
        return Box(self.start - margin, self.stop + margin)

    def clipped(self, to: Box) -> Box:
        """The part inside `to`; may be empty."""
        return Box(self.start.maximum(to.start), self.stop.minimum(to.stop))

    def joined(self, other: Box) -> Box:
        """The smallest box around both, neither of which is empty."""
        return Box(self.start.minimum(other.start), self.stop.maximum(other.stop))

    def translated(self, by: Operand) -> Box:
        """The same shape moved by `by` voxels."""
        return Box(self.start + by, self.stop + by)

    def coarser(self, factor: Operand) -> Box:
        """The units of `factor` voxels a side that share a voxel with this box: blocks, cells, voxels of a scale."""
        return Box(self.start // factor, self.stop.ceil_div(factor))

    def finer(self, factor: Operand) -> Box:
        """The voxels of a box of units of `factor` voxels a side."""
        return Box(self.start * factor, self.stop * factor)

    def covering(self, multiple: Operand) -> Box:
        """The smallest box around this one whose faces lie on multiples of `multiple` (blocks, cells)."""
        return self.coarser(multiple).finer(multiple)

    def contains(self, other: Box) -> bool:
        """Whether every voxel of `other` is inside (an empty box is inside any)."""
        return other.is_empty or other.clipped(self) == other

    def slices(self, origin: tuple[int, int, int] = ORIGIN) -> tuple[slice, slice, slice]:
        """Index of this box in an array whose first voxel is `origin`."""
        z, y, x = map(slice, self.start - origin, self.stop - origin)
        return z, y, x
