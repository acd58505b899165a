"""Cutting a box into parts that fit one request."""

from __future__ import annotations

from collections.abc import Iterator

from emseg.geometry import Box, Coordinate


def request_boxes(box: Box, multiple: tuple[int, int, int], max_voxels: int) -> Iterator[Box]:
    """Disjoint boxes that cover `box`, cut at multiples of `multiple`, of at most `max_voxels` voxels where such a cut
    can be made (a part within one block stays whole). In Z, Y, X order of their starts along each cut.
    """
    if box.is_empty:
        return
    cut = _cut(box, multiple) if box.voxels > max_voxels else None
    if cut is None:
        yield box
        return
    axis, at = cut
    stop, start = list(box.stop), list(box.start)
    stop[axis] = start[axis] = at
    yield from request_boxes(Box(box.start, Coordinate.of(stop)), multiple, max_voxels)
    yield from request_boxes(Box(Coordinate.of(start), box.stop), multiple, max_voxels)


def _cut(box: Box, multiple: tuple[int, int, int]) -> tuple[int, int] | None:
    """Axis and voxel of the cut: across Z where possible (its parts are contiguous in memory), then Y, then X."""
    for axis in range(3):
        start, stop, step = box.start[axis], box.stop[axis], multiple[axis]
        first, last = start // step + 1, -(-stop // step) - 1
        if first <= last:
            return axis, (first + last + 1) // 2 * step
    return None
