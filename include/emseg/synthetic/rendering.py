"""Grayscale: what an electron microscope would show of given bodies, in the gray levels of FIB-SEM fly tissue.

Light cytoplasm with grain, dark membranes of uneven strength, dark mitochondria with a darker rim and cristae,
vesicles in patches, then the blur and the noise of the instrument.
"""

from __future__ import annotations

from itertools import pairwise

import edt
import numpy as np
from bioimage_cpp.filters import gaussian_smoothing

from emseg.array_types import Counts, Gray, Labels32
from emseg.synthetic.noise import Field, smooth_noise

_DARKEST_CYTOPLASM, _LIGHTEST_CYTOPLASM = 144.0, 178.0
_MEMBRANE, _MEMBRANE_VOX = 82.0, 2.0
_MITOCHONDRION, _RIM = 92.0, 78.0
_MITOCHONDRIA_PER_MVOX, _MITOCHONDRION_ROOM_VOX = 28.0, 8.0
_VESICLES_PER_MVOX, _VESICLE = 6000.0, 1100.0
_NOISE = 14.0


def render(bodies: Labels32, rng: np.random.Generator) -> Gray:
    """Grayscale of `bodies` (uint32 ZYX); 0, blank, exactly where they are 0."""
    depth = edt.edt(bodies, black_border=False, parallel=1)
    image = _cytoplasm(bodies, rng)
    image -= _vesicles(depth, rng)
    _add_mitochondria(image, bodies, depth, rng)
    _add_membranes(image, depth, rng)
    image = gaussian_smoothing(image, 0.7)
    image += np.float32(_NOISE) * gaussian_smoothing(rng.standard_normal(image.shape, dtype=np.float32), 0.5)
    gray: Gray = np.clip(np.rint(image), 1, 254).astype(np.uint8)
    gray[bodies == 0] = 0
    return gray


def _cytoplasm(bodies: Labels32, rng: np.random.Generator) -> Field:
    level = rng.uniform(_DARKEST_CYTOPLASM, _LIGHTEST_CYTOPLASM, int(bodies.max()) + 1).astype(np.float32)
    image = level[bodies]
    image += 7 * smooth_noise(bodies.shape, 1.3, rng)
    image += 4 * smooth_noise(bodies.shape, 10.0, rng)
    return image


def _add_membranes(image: Field, depth: Field, rng: np.random.Generator) -> None:
    """Dark sheets at the borders, `_MEMBRANE_VOX` thick on each side, fainter where the cut would be oblique."""
    strength = np.clip(1.0 + 0.1 * smooth_noise(depth.shape, 7.0, rng), 0.6, 1.1)
    strength *= np.exp(-(((depth - np.float32(0.5)) / np.float32(_MEMBRANE_VOX)) ** 2))
    image += strength * (np.float32(_MEMBRANE) - image)


def _vesicles(depth: Field, rng: np.random.Generator) -> Field:
    """Darkness of small round vesicles, in patches and off the membrane."""
    count = rng.poisson(_VESICLES_PER_MVOX * depth.size / 1e6)
    at = tuple(rng.integers(0, n, count) for n in depth.shape)
    patches = smooth_noise(depth.shape, 14.0, rng)[at] > 0.6
    dots = np.zeros(depth.shape, np.float32)
    dots[tuple(axis[patches & (depth[at] > 5)] for axis in at)] = _VESICLE
    darkness: Field = gaussian_smoothing(dots, 1.5)
    return darkness


def _add_mitochondria(image: Field, bodies: Labels32, depth: Field, rng: np.random.Generator) -> None:
    """Sausages that follow the middle of thick neurites and leave cytoplasm around them."""
    cristae = smooth_noise(depth.shape, 1.6, rng)
    for _ in range(rng.poisson(_MITOCHONDRIA_PER_MVOX * depth.size / 1e6)):
        start = rng.integers(0, depth.shape)
        body = bodies[tuple(start)]
        if body == 0 or depth[tuple(start)] < _MITOCHONDRION_ROOM_VOX:
            continue
        path = _deepest_path(bodies, depth, start, int(rng.integers(2, 7)), rng)
        radius = min(0.62 * float(depth[tuple(start)]), rng.uniform(5.0, 12.0))
        for first, second in pairwise(path):
            _paint_capsule(image, cristae, depth, (first, second), radius)


def _deepest_path(bodies: Labels32, depth: Field, start: Counts, steps: int, rng: np.random.Generator) -> list[Counts]:
    """Points 8 voxels apart; each next one is the deepest of a few ahead in the same body."""
    path, direction = [start, start], rng.standard_normal(3)
    body = bodies[tuple(start)]
    for _ in range(steps):
        ahead = direction / np.linalg.norm(direction) + 0.3 * rng.standard_normal((16, 3))
        ahead *= 8 / np.linalg.norm(ahead, axis=1, keepdims=True)
        points = np.clip(np.rint(path[-1] + ahead), 0, np.array(depth.shape) - 1).astype(np.int64)
        deep = np.where(bodies[tuple(points.T)] == body, depth[tuple(points.T)], 0)
        best = int(np.argmax(deep))
        if deep[best] < _MITOCHONDRION_ROOM_VOX:
            break
        direction = ahead[best]
        path.append(points[best])
    return path


def _paint_capsule(image: Field, cristae: Field, depth: Field, ends: tuple[Counts, Counts], radius: float) -> None:
    """All voxels within `radius` of the line between the ends, but not nearer than 4 voxels to a membrane."""
    box = _box_around(ends, radius, depth.shape)
    grid = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), -1).astype(np.float32)
    line = (ends[1] - ends[0]).astype(np.float32)
    along = np.clip(((grid - ends[0]) @ line) / max(float(line @ line), 1.0), 0, 1)
    inward = radius - np.linalg.norm(grid - ends[0] - along[..., None] * line, axis=-1)
    inward = np.minimum(inward, depth[box] - 4)
    matter = np.where(inward < 2, _RIM, _MITOCHONDRION + 5 * cristae[box])
    painted = inward > 0
    image[box][painted] = np.where(inward < 2, np.minimum(matter, image[box]), matter)[painted]


def _box_around(ends: tuple[Counts, Counts], radius: float, shape: tuple[int, ...]) -> tuple[slice, ...]:
    low = np.maximum(np.minimum(*ends) - int(radius) - 1, 0)
    high = np.minimum(np.maximum(*ends) + int(radius) + 2, shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
