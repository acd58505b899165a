"""Cores of branching neurites: tubes that wander through a box, keep clear of each other and end where blocked.

The thick ones come first, the thin ones fill the gaps: the mix of calibres of real neuropil.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Floats, Labels32, Mask

Point = Floats
"""Z, Y, X in fractions of a voxel."""

_RADII = ((24.0, 34.0, 0.12), (13.0, 20.0, 0.30), (8.0, 12.0, 0.42), (6.0, 8.0, 0.50))
"""Smallest and largest radius of a generation of tubes, voxels, and the share of the box at which it is complete."""

_BLOCKED_STARTS = 60
"""A generation also ends after this many starts in a row that found no room."""

_TURN = 0.22
_CANDIDATES = 12
_STEPS_PER_BRANCH = 28
"""Mean number of half-radius steps between branches."""
_THINNEST_TO_BRANCH_VOX = 5.0


@dataclass(frozen=True, eq=False)
class _Tip:
    """Where a tube grows on, and how thick it is there."""

    point: Point
    direction: Point
    radius: float


def grow_tubes(tissue: Mask, rng: np.random.Generator) -> Labels32:
    """Label tubes 1, 2, ... inside `tissue` (bool ZYX); 0 between them. Later tubes never overwrite earlier ones."""
    labels = np.zeros(tissue.shape, np.uint32)
    free = tissue.copy()
    number, limit = 0, min(tissue.shape) / 5
    for smallest, largest, complete_at in _RADII:
        blocked = 0
        while blocked < _BLOCKED_STARTS and 1 - free.mean() < complete_at:
            radius = min(rng.uniform(smallest, largest), limit)
            start = rng.uniform(0, tissue.shape)
            if not _has_room(free, start, radius):
                blocked += 1
                continue
            blocked, number = 0, number + 1
            _grow_neurite(labels, free, number, _Tip(start, _unit(rng.standard_normal(3)), radius), rng)
    return labels


def _grow_neurite(labels: Labels32, free: Mask, number: int, start: _Tip, rng: np.random.Generator) -> None:
    """Grow both ways from the start, then the branches thrown off on the way, thinner each time."""
    tips = [start, _Tip(start.point, -start.direction, start.radius)]
    while tips:
        tip = tips.pop()
        for step in _walk(labels, number, tip, rng):
            _paint_ball(labels, free, number, step)
            if tip.radius > _THINNEST_TO_BRANCH_VOX and rng.random() < 1 / _STEPS_PER_BRANCH:
                side = _unit(np.cross(step.direction, rng.standard_normal(3)))
                tips.append(_Tip(step.point, _unit(side + 0.4 * step.direction), tip.radius * rng.uniform(0.45, 0.7)))


def _walk(labels: Labels32, number: int, tip: _Tip, rng: np.random.Generator) -> Iterator[_Tip]:
    """Steps of half a radius that keep their direction but for small turns; ends outside the box or with no way on."""
    point, direction, swelling = tip.point, tip.direction, 0.0
    while _inside(point, labels.shape):
        swelling = 0.85 * swelling + 0.15 * rng.standard_normal()
        yield _Tip(point, direction, tip.radius * float(np.clip(1 + swelling, 0.7, 1.5)))
        turned = direction + _TURN * rng.standard_normal((_CANDIDATES, 3))
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        ways = [way for way in turned if _is_clear(labels, point + 1.5 * tip.radius * way, number)]
        if not ways:
            return
        direction = ways[0]
        point = point + 0.5 * tip.radius * direction


def _paint_ball(labels: Labels32, free: Mask, number: int, ball: _Tip) -> None:
    low = np.maximum(np.floor(ball.point - ball.radius), 0).astype(int)
    high = np.minimum(np.ceil(ball.point + ball.radius) + 1, labels.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    z, y, x = (np.arange(a, b) - c for a, b, c in zip(low, high, ball.point, strict=True))
    inside = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= ball.radius**2
    inside &= free[box]
    labels[box][inside] = number
    free[box][inside] = False


def _has_room(free: Mask, point: Point, radius: float) -> bool:
    """Whether the point and the six points a radius away (clipped to the box) are free."""
    around = point + radius * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    voxels = np.clip(around, 0, np.array(free.shape) - 1).astype(int)
    return bool(free[tuple(voxels.T)].all())


def _is_clear(labels: Labels32, point: Point, number: int) -> bool:
    return not _inside(point, labels.shape) or labels[tuple(point.astype(int))] in (0, number)


def _inside(point: Point, shape: tuple[int, ...]) -> bool:
    return bool(np.all(point >= 0) and np.all(point < shape))


def _unit(vector: Point) -> Point:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else np.array([1.0, 0.0, 0.0])
