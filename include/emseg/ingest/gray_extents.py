"""Which voxels of a grayscale instance hold data once another box is written: a volume may be ingested in parts."""

from __future__ import annotations

from emseg.dvid import Grayscale
from emseg.dvid.request_boxes import request_boxes
from emseg.geometry import Box, Coordinate

SLAB_VOXELS = 64 << 20
"""Voxels read at a time to see whether a slab is blank: 64 MB."""


def extents_with(gray: Grayscale, box: Box) -> Box:
    """The extents once `box` is written, too.

    DVID makes extents grow to whole blocks with every write, so a try that was killed leaves them larger than what was
    to be written. What they have beyond `box`, within its blocks, counts only where a voxel is there that is not 0.
    """
    info = gray.info()
    if info.extents is None:
        return box
    before, covered = info.extents, box.covering((info.block_vox,) * 3)
    start, stop = list(before.start), list(before.stop)
    for axis in range(3):
        if covered.start[axis] == start[axis] < box.start[axis]:
            blank = _blank(gray, _slab(before, axis, start[axis], box.start[axis]), info.block_vox)
            start[axis] = box.start[axis] if blank else start[axis]
        if box.stop[axis] < stop[axis] == covered.stop[axis]:
            blank = _blank(gray, _slab(before, axis, box.stop[axis], stop[axis]), info.block_vox)
            stop[axis] = box.stop[axis] if blank else stop[axis]
    return Box(
        Coordinate.of([min(a, b) for a, b in zip(start, box.start, strict=True)]),
        Coordinate.of([max(a, b) for a, b in zip(stop, box.stop, strict=True)]),
    )


def _slab(box: Box, axis: int, start: int, stop: int) -> Box:
    low, high = list(box.start), list(box.stop)
    low[axis], high[axis] = start, stop
    return Box(Coordinate.of(low), Coordinate.of(high))


def _blank(gray: Grayscale, slab: Box, block_vox: int) -> bool:
    return not any(gray.read(part).any() for part in request_boxes(slab, (block_vox,) * 3, SLAB_VOXELS))
