"""Images from files into a DVID grayscale instance, which may be ingested in parts."""

from __future__ import annotations

import numpy as np

from emseg.dvid import Grayscale, Node
from emseg.dvid.instances import VecNm
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, Box, Coordinate, placed_box
from emseg.ingest.progress import IngestReceipt, Progress, no_progress
from emseg.ingest.sources import VolumeSource

BRICK_VOXELS = 256 << 20
"""Voxels in memory at once: 256 MB."""


def ingest_grayscale(
    node: Node,
    instance: str,
    source: VolumeSource,
    voxel_size_nm: VecNm,
    offset: tuple[int, int, int] = ORIGIN,
    progress: Progress = no_progress,
) -> IngestReceipt:
    """Write `source` (uint8) with its first voxel at `offset`, and set the extents. Doing it twice changes nothing.

    Where the instance holds voxels already, the extents become the smallest box around both.
    """
    check_grayscale(source, instance)
    box = placed_box(source.shape, offset, "ingesting grayscale", f"instance {instance!r}")
    gray = Grayscale(node, instance)
    gray.create(voxel_size_nm)
    extents = extents_with(gray, box)
    bricks = list(request_boxes(box, (gray.info().block_vox,) * 3, BRICK_VOXELS))
    for done, brick in enumerate(bricks, 1):
        gray.write(brick, source.read(brick.translated(-box.start)))
        progress(done, len(bricks))
    gray.set_extents(extents)
    return IngestReceipt(box, len(bricks))


def check_grayscale(source: VolumeSource, instance: str) -> None:
    """PermanentError unless the source is uint8."""
    if source.dtype != np.uint8:
        remedy = "Choose a window for the whole volume: --window LOW HIGH, gray values that become 0 and 255"
        if source.dtype.kind not in "ui":
            remedy = "Convert it first, with one range for the whole volume, to uint8 or uint16"
        found = f"the volume is {source.dtype}, DVID keeps uint8"
        raise PermanentError("ingesting grayscale", f"instance {instance!r}", found, remedy)


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
    return not any(gray.read(part).any() for part in request_boxes(slab, (block_vox,) * 3, BRICK_VOXELS))
