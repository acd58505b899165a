"""Which voxels of a grayscale instance hold data once another box is written: a volume may be ingested in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from emseg.dvid import Grayscale, InstanceInfo
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate

DOING = "ingesting grayscale"

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


def require_all_scales(scales: Sequence[Grayscale], extents: Sequence[Box], there: Mapping[str, InstanceInfo]) -> None:
    """PermanentError where a coarser scale would hold less than the volume, or other voxels than the finest one."""
    finest = scales[0]
    further = Grayscale(finest.node, f"{finest.instance}_{len(scales)}")
    known = there.get(further.instance)
    if known is not None and known.type == "uint8blk" and further.info().extents is not None:
        most = next(n for n in count(len(scales)) if f"{finest.instance}_{n + 1}" not in there)
        raise PermanentError(
            DOING,
            f"instance {finest.instance!r}",
            f"{further.instance} holds the same volume at a coarser scale, and would keep what it was before",
            f"Give --max-scale {most}, or use another instance name",
        )
    for scale, box in enumerate(extents):
        if box != extents[0].coarser(1 << scale):
            raise PermanentError(
                DOING,
                f"instance {finest.instance!r}",
                f"it would hold {extents[0]}, and {scales[scale].instance} only {box}: another part of the volume was "
                f"ingested without --max-scale {len(scales) - 1}",
                "Give all parts this --max-scale, in an instance of another name",
            )


def require_no_others(gray: Grayscale, volume: Box) -> None:
    """PermanentError where somebody else wrote to the instance, beyond `volume`, since its extents were looked up."""
    info = gray.info()
    if info.extents is not None and not volume.covering((info.block_vox,) * 3).contains(info.extents):
        raise PermanentError(
            DOING,
            f"instance {gray.instance!r}",
            f"another ingestion wrote to it meanwhile: it has {info.extents}, and was to have {volume}. Where both "
            "wrote to one block, voxels are lost",
            "Ingest both parts again, one after the other",
        )


def _slab(box: Box, axis: int, start: int, stop: int) -> Box:
    low, high = list(box.start), list(box.stop)
    low[axis], high[axis] = start, stop
    return Box(Coordinate.of(low), Coordinate.of(high))


def _blank(gray: Grayscale, slab: Box, block_vox: int) -> bool:
    return not any(gray.read(part).any() for part in request_boxes(slab, (block_vox,) * 3, SLAB_VOXELS))
