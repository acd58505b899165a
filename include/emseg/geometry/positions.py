"""Where voxels may lie: one check for the command line, ingestion, extents in DVID and pinned runs.

Example: a volume of 100 sections at offset -10 is refused. DVID takes such voxels, but its process ends when somebody
asks for a body that has one.
"""

from __future__ import annotations

from collections.abc import Sequence

from emseg.errors import PermanentError
from emseg.geometry.box import Box
from emseg.geometry.coordinate import Coordinate

LIMIT_VOX = 1 << 26
"""Every voxel lies below it on every axis: DVID has 20 bits for the number of a block of 64 voxels."""

_LIMIT = f"2^26 = {LIMIT_VOX}"


def checked_box(box: Box, doing: str, on: str, remedy: str) -> Box:
    """`box`; PermanentError with `remedy` for a box without voxels, below 0, or beyond what DVID can address."""
    if box.is_empty:
        raise PermanentError(doing, on, f"{_told(box)} hold no voxel", remedy)
    if min(box.start) < 0:
        raise PermanentError(doing, on, f"{_told(box)} begin below 0, where DVID cannot serve bodies", remedy)
    if max(box.stop) > LIMIT_VOX:
        raise PermanentError(doing, on, f"{_told(box)} go beyond {_LIMIT}, the most that DVID can address", remedy)
    return box


def placed_box(shape: Sequence[int], offset_vox: Sequence[int], doing: str, on: str) -> Box:
    """The voxels of a volume of `shape` whose first voxel is at `offset_vox`, all Z Y X.

    PermanentError unless both are three whole numbers, and for a box that `checked_box` refuses.
    """
    try:
        box = Box.of_shape(Coordinate.of(shape), Coordinate.of(offset_vox))
    except (TypeError, ValueError):
        found = f"shape {shape!r:.80} and offset {offset_vox!r:.80} are not three whole numbers each"
        raise PermanentError(doing, on, found, "Give whole numbers of voxels, Z Y X") from None
    if min(sides := box.stop - box.start) < 1:
        raise PermanentError(doing, on, f"the volume has the shape {sides}", "Give one with voxels in it")
    remedy = f"Give an offset of 0 or more on every axis, so that the volume ends at {LIMIT_VOX} or before"
    return checked_box(box, doing, on, remedy)


def _told(box: Box) -> str:
    return f"its voxels, {box.start} to {box.stop} (Z Y X),"
