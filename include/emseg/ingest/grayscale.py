"""Images from files into a DVID grayscale instance."""

from __future__ import annotations

import numpy as np

from emseg.dvid import Grayscale, Node
from emseg.dvid.instances import VecNm
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, placed_box
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
    """Write `source` (uint8) with its first voxel at `offset`, and set the extents. Doing it twice changes nothing."""
    if source.dtype != np.uint8:
        raise PermanentError(
            "ingesting grayscale",
            f"instance {instance!r}",
            f"the volume is {source.dtype}, DVID keeps uint8",
            "Convert it first, with one range for the whole volume: (image - low) / (high - low) * 255 as uint8",
        )
    box = placed_box(source.shape, offset, "ingesting grayscale", f"instance {instance!r}")
    gray = Grayscale(node, instance)
    gray.create(voxel_size_nm)
    bricks = list(request_boxes(box, (gray.info().block_vox,) * 3, BRICK_VOXELS))
    for done, brick in enumerate(bricks, 1):
        gray.write(brick, source.read(brick.translated(-box.start)))
        progress(done, len(bricks))
    gray.set_extents(box)
    return IngestReceipt(box, len(bricks))
