"""Grayscale of 16 bits through an explicit window: `low` becomes 0, `high` becomes 255, linear between.

emseg chooses no window by itself: two parts of a volume, each stretched to its own range, would not fit together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest.sources import Array, VolumeSource


class WindowedSource:
    """Integers of 8 or 16 bits as uint8: (v - low) / (high - low) * 255, rounded and clipped. 227 in 100-355 gives 127.

    `clipped` and `voxels` count what was read since `recount`: voxels outside the window, and all.
    """

    def __init__(self, source: VolumeSource, low: int, high: int) -> None:
        """PermanentError unless `low` is below `high`, both within the type of the source, of 8 or 16 bits."""
        if source.dtype.kind not in "ui" or source.dtype.itemsize > 2:
            found = f"the volume is {source.dtype}"
            raise _refused(source, low, high, found, "Give a volume of integers of 8 or 16 bits")
        limits = np.iinfo(source.dtype)
        if not limits.min <= low < high <= limits.max:
            found = f"low must be below high, and both within {limits.min} to {limits.max}"
            raise _refused(source, low, high, found, "Give --window LOW HIGH, gray values of the file")
        self._source, self._low, self._high = source, low, high
        self.shape, self.dtype = source.shape, np.dtype(np.uint8)
        self.info = replace(source.info, notes=(*source.info.notes, f"window: {low} becomes 0, {high} becomes 255"))
        every = np.arange(limits.min, limits.max + 1)
        scaled = (np.clip(every, low, high) - low) * 255 / (high - low)
        self._table = np.rint(np.roll(scaled, limits.min)).astype(np.uint8)  # by the value as an unsigned number
        self.recount()

    def recount(self) -> None:
        """Begin to count anew."""
        self.clipped = self.voxels = 0

    def read(self, box: Box) -> Array:
        """The voxels of `box`."""
        voxels = np.ascontiguousarray(self._source.read(box)).astype(self._source.dtype.newbyteorder("="), copy=False)
        self.clipped += int(np.count_nonzero((voxels < self._low) | (voxels > self._high)))
        self.voxels += voxels.size
        return np.asarray(self._table[voxels.view(f"u{voxels.itemsize}")])


def _refused(source: VolumeSource, low: int, high: int, found: str, remedy: str) -> PermanentError:
    return PermanentError("choosing a window", f"{source.info.address}, window {low} to {high}", found, remedy)
