"""Smooth random fields: the texture of cytoplasm, uneven membranes, wavy borders."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from bioimage_cpp.filters import gaussian_smoothing

from emseg.array_types import Floats
from emseg.geometry import Box, Coordinate

Field = npt.NDArray[np.float32]


def smooth_noise(shape: tuple[int, int, int], sigma_vox: float, rng: np.random.Generator) -> Field:
    """Gaussian random field, float32, mean 0, standard deviation 1, correlated over about `sigma_vox` voxels.

    Wide fields are made on a coarse lattice and blown up, which keeps the cost of any width near that of the narrowest.
    """
    factor = max(1, int(sigma_vox // 2))
    coarse = Coordinate.of(shape).ceil_div(factor) + 2
    field: Field = gaussian_smoothing(rng.standard_normal(coarse, dtype=np.float32), sigma_vox / factor)
    if factor > 1:
        for axis, n in enumerate(shape):
            field = _interpolated(field, axis, np.arange(n) / factor)
    field = np.ascontiguousarray(field[Box.of_shape(shape).slices()])
    field -= field.mean()
    field /= field.std()
    return field


def _interpolated(field: Field, axis: int, position: Floats) -> Field:
    """Linear interpolation along one axis at fractional indices."""
    low = position.astype(np.int64)
    along = [1, 1, 1]
    along[axis] = -1
    weight = (position - low).astype(np.float32).reshape(along)
    first = field.take(low, axis)
    first += weight * (field.take(low + 1, axis) - first)
    return first
