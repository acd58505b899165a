"""Cutting a box into pieces that fit one request."""

from __future__ import annotations

from collections.abc import Iterator

from emseg.geometry import Box, Vec


def pieces(box: Box, multiple: Vec, max_voxels: int) -> Iterator[Box]:
    """Disjoint boxes that cover `box`, cut at multiples of `multiple`, of at most `max_voxels` voxels where such a cut
    can be made (a piece within one block stays whole). In Z, Y, X order of their starts along each cut.
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
    yield from pieces(Box(box.start, (stop[0], stop[1], stop[2])), multiple, max_voxels)
    yield from pieces(Box((start[0], start[1], start[2]), box.stop), multiple, max_voxels)


def _cut(box: Box, multiple: Vec) -> tuple[int, int] | None:
    """Axis and voxel of the cut: across Z where possible (its pieces are contiguous in memory), then Y, then X."""
    for axis in range(3):
        start, stop, step = box.start[axis], box.stop[axis], multiple[axis]
        first, last = start // step + 1, -(-stop // step) - 1
        if first <= last:
            return axis, (first + last + 1) // 2 * step
    return None
