"""A Z Y X triple of integers with operators, for voxels, blocks and cells alike: the variable's name says which."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, SupportsIndex

Operand = int | tuple[int, int, int]
"""What an operator takes beside a `Coordinate`: a triple, or an integer that counts on every axis."""


class _Axes(NamedTuple):
    z: int
    y: int
    x: int


_made = tuple.__new__
"""Half the time of `Coordinate(z, y, x)`."""


def _elementwise(operation: Callable[[int, int], int]) -> Callable[[Coordinate, Operand], Coordinate]:
    def on_each_axis(self: Coordinate, other: Operand) -> Any:
        if isinstance(other, tuple):
            z, y, x = other
        elif isinstance(other, int):
            z = y = x = other
        else:
            return NotImplemented  # numpy's turn
        a, b, c = self
        return _made(Coordinate, (operation(a, z), operation(b, y), operation(c, x)))

    return on_each_axis


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


class Coordinate(_Axes):
    """Three integers along Z, Y, X: a position, a shape, a halo. Its unit is in the name of the variable: `halo_vox`.

    `+ - * //` work axis by axis with a `Coordinate`, a tuple of three or an integer: `(1, 2, 3)` plus 1 is `(2, 3, 4)`,
    times `(2, 0, 1)` is `(2, 0, 3)`. In all else it is the plain tuple of its values: equal to it, ordered, hashed,
    printed, written as JSON and taken by numpy as that is.
    """

    __slots__ = ()
    __add__ = __radd__ = _elementwise(operator.add)  # type: ignore[assignment]
    __sub__ = _elementwise(operator.sub)
    __mul__ = __rmul__ = _elementwise(operator.mul)  # type: ignore[assignment]
    __floordiv__ = _elementwise(operator.floordiv)
    ceil_div = _elementwise(_ceil_div)
    """Axis by axis the smallest integer not below the quotient: `(-5, 0, 5)` by 4 is `(-1, 0, 2)`."""
    minimum = _elementwise(min)
    """The smaller value of each axis."""
    maximum = _elementwise(max)
    """The larger value of each axis."""

    @classmethod
    def of(cls, values: Iterable[SupportsIndex]) -> Coordinate:
        """The triple of three integers, of Python or numpy. ValueError for another number, TypeError for fractions."""
        z, y, x = map(operator.index, values)
        return cls(z, y, x)

    def __neg__(self) -> Coordinate:
        return Coordinate(-self[0], -self[1], -self[2])

    def __repr__(self) -> str:
        return tuple.__repr__(self)

    @property
    def product(self) -> int:
        """Voxels (blocks, cells) of a box of this shape."""
        return self[0] * self[1] * self[2]

    def is_within(self, most: Operand) -> bool:
        """Whether no axis is above that of `most`: `(1, 2, 3)` is within `(1, 2, 4)`, and `(0, 3, 0)` is not."""
        z, y, x = (most, most, most) if isinstance(most, int) else most
        return self[0] <= z and self[1] <= y and self[2] <= x
