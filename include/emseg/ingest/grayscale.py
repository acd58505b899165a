"""Images from files into DVID grayscale, in one process; a volume may be ingested in parts."""

from __future__ import annotations

import numpy as np

from emseg.dvid import Node
from emseg.dvid.instances import VecNm
from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, Box, placed_box
from emseg.ingest.bricks import bricks_of
from emseg.ingest.gray_extents import DOING
from emseg.ingest.gray_pyramid import GrayPyramid
from emseg.ingest.progress import IngestReceipt, Progress, no_progress
from emseg.ingest.sources import VolumeSource


def ingest_grayscale(
    node: Node,
    instance: str,
    source: VolumeSource,
    voxel_size_nm: VecNm,
    offset: tuple[int, int, int] = ORIGIN,
    progress: Progress = no_progress,
    max_scale: int = 0,
) -> IngestReceipt:
    """Write `source` (uint8) with its first voxel at `offset` at scales 0 to `max_scale`, and set the extents. Doing it
    twice changes nothing.

    Where the instance holds voxels already, the extents become the smallest box around both.
    """
    target, box = gray_target(node, instance, source, voxel_size_nm, offset, max_scale)
    target.create(voxel_size_nm)
    bricks = bricks_of(box, max_scale, source.dtype.itemsize, source.info.chunk_vox)
    for done, brick in enumerate(bricks, 1):
        target.write(brick)
        progress(done, len(bricks))
    target.finish()
    return IngestReceipt(box, len(bricks))


def gray_target(
    node: Node,
    instance: str,
    source: VolumeSource,
    voxel_size_nm: VecNm,
    offset: tuple[int, int, int],
    max_scale: int,
) -> tuple[GrayPyramid, Box]:
    """Where the volume goes, and its voxels there. PermanentError for all that would be refused; writes nothing."""
    check_grayscale(source, instance)
    box = placed_box(source.shape, offset, DOING, f"instance {instance!r}")
    target = GrayPyramid(node, instance, source, box, max_scale)
    target.check(voxel_size_nm)
    return target, box


def check_grayscale(source: VolumeSource, instance: str) -> None:
    """PermanentError unless the source is uint8."""
    if source.dtype != np.uint8:
        remedy = "Choose a window for the whole volume: --window LOW HIGH, gray values that become 0 and 255"
        if source.dtype.kind not in "ui" or source.dtype.itemsize > 2:
            remedy = "Convert it first, with one range for the whole volume, to uint8 or uint16"
        found = f"the volume is {source.dtype}, DVID keeps uint8"
        raise PermanentError(DOING, f"instance {instance!r}", found, remedy)
