"""Boxes of voxels: half-open, axis order Z, Y, X, immutable."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Vec = tuple[int, int, int]
"""Three integers in Z, Y, X order: a voxel, a shape or a cell."""


@dataclass(frozen=True, order=True)
class Box:
    """The voxels v with start <= v < stop on every axis (Z, Y, X). Empty where stop <= start on any axis."""

    start: Vec
    stop: Vec

    @classmethod
    def of_shape(cls, shape: Vec, start: Vec = (0, 0, 0)) -> Box:
        """Box of `shape` voxels whose first voxel is `start`."""
        return cls(start, _map(lambda a, b: a + b, start, shape))

    @property
    def shape(self) -> Vec:
        """Voxels along Z, Y, X (never negative)."""
        return _map(lambda a, b: max(0, b - a), self.start, self.stop)

    @property
    def voxels(self) -> int:
        """Number of voxels inside."""
        return prod(self.shape)

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return self.voxels == 0

    def grown(self, margin: Vec) -> Box:
        """A box larger by `margin` voxels on both sides of each axis (smaller where negative)."""
        return Box(_map(lambda a, m: a - m, self.start, margin), _map(lambda a, m: a + m, self.stop, margin))

    def clipped(self, to: Box) -> Box:
        """The part inside `to`; may be empty."""
        return Box(_map(max, self.start, to.start), _map(min, self.stop, to.stop))

    def translated(self, by: Vec) -> Box:
        """The same shape moved by `by` voxels."""
        return Box(_map(lambda a, b: a + b, self.start, by), _map(lambda a, b: a + b, self.stop, by))

    def covering(self, multiple: Vec) -> Box:
        """The smallest box around this one whose faces lie on multiples of `multiple` (blocks, cells)."""
        return Box(
            _map(lambda a, m: a // m * m, self.start, multiple),
            _map(lambda b, m: -(-b // m) * m, self.stop, multiple),
        )

    def is_aligned(self, multiple: Vec) -> bool:
        """Whether every face lies on a multiple of `multiple`."""
        return self == self.covering(multiple)

    def contains(self, other: Box) -> bool:
        """Whether every voxel of `other` is inside (an empty box is inside any)."""
        return other.is_empty or other.clipped(self) == other

    def slices(self, origin: Vec = (0, 0, 0)) -> tuple[slice, slice, slice]:
        """Index of this box in an array whose first voxel is `origin`."""
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, origin, strict=True))
        return z, y, x


def _map(function, first: Vec, second: Vec) -> Vec:  # type: ignore[no-untyped-def]
    z, y, x = (function(a, b) for a, b in zip(first, second, strict=True))
    return z, y, x
