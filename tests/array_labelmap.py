"""A labelmap of DVID that is an array, for tests without a server."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emseg.dvid import Labelmap
from emseg.geometry import Box


@dataclass(frozen=True)
class ArrayLabelmap:
    """`array` begins at voxel 0. Scales have the first voxel of every 2 x 2 x 2. Its supervoxels are its bodies."""

    array: np.ndarray
    on_read: Callable[[], None] = lambda: None

    def read(self, box: Box, supervoxels: bool = False, scale: int = 0) -> np.ndarray:  # noqa: ARG002
        self.on_read()
        every = slice(None, None, 1 << scale)
        return self.array[every, every, every][box.slices()].copy()


assert [*inspect.signature(ArrayLabelmap.read).parameters] == [*inspect.signature(Labelmap.read).parameters], (
    "read a labelmap of an array as one of DVID is read"
)
