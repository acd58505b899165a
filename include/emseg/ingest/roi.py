"""A mask from a file into a DVID region of interest."""

from __future__ import annotations

import numpy as np

from emseg.array_types import Mask
from emseg.dvid import Node, RoiInstance
from emseg.dvid.request_boxes import request_boxes
from emseg.dvid.roi import require_blocks
from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, Box, Roi, placed_box
from emseg.ingest.progress import Progress, no_progress
from emseg.ingest.sources import VolumeSource, require_exact
from emseg.ingest.targets import require_name

BRICK_VOXELS = 256 << 20
"""Voxels in memory at once: 256 MB as a mask."""


def ingest_roi(
    node: Node,
    name: str,
    source: VolumeSource,
    block_vox: int = 32,
    offset: tuple[int, int, int] = ORIGIN,
    progress: Progress = no_progress,
) -> Roi:
    """Write the region of all blocks that hold a voxel of `source` other than 0, and return it."""
    box = _placed(name, source, offset)
    edge = (block_vox,) * 3
    bricks = list(request_boxes(box.covering(edge), edge, BRICK_VOXELS))
    found = [np.empty((0, 3), np.int64)]
    for done, brick in enumerate(bricks, 1):
        found.append(np.argwhere(_touched(source, box, brick, block_vox)) + np.array(brick.start) // block_vox)
        progress(done, len(bricks))
    roi = Roi.of_blocks(np.concatenate(found), block_vox)
    require_blocks(roi, name)
    region = RoiInstance(node, name)
    region.create(block_vox)
    region.write(roi)
    return roi


def check_region(node: Node, name: str, source: VolumeSource, offset: tuple[int, int, int]) -> None:
    """PermanentError for all that `ingest_roi` refuses but an empty mask. Writes nothing."""
    _placed(name, source, offset)
    if node.has(name):
        RoiInstance(node, name).require()


def _placed(name: str, source: VolumeSource, offset: tuple[int, int, int]) -> Box:
    check_mask(source)
    require_name(name)
    return placed_box(source.shape, offset, "ingesting a region of interest", name)


def check_mask(source: VolumeSource) -> None:
    """PermanentError unless the source holds whole numbers or bool, exactly as they were saved."""
    if source.dtype.kind not in "uib":
        raise PermanentError(
            "ingesting a region of interest",
            source.info.address,
            f"the mask is {source.dtype}",
            "Give whole numbers or bool: what is inside is not 0, for example (mask > 0.5).astype('uint8')",
        )
    require_exact(source, "ingesting a region of interest")


def _touched(source: VolumeSource, box: Box, brick: Box, block_vox: int) -> Mask:
    """Which blocks of the brick hold a voxel other than 0."""
    part = brick.clipped(box)
    mask = np.zeros(brick.shape, bool)
    mask[part.slices(brick.start)] = source.read(part.translated(-box.start)) != 0
    nz, ny, nx = brick.shape // block_vox
    return np.asarray(mask.reshape(nz, block_vox, ny, block_vox, nx, block_vox).any(axis=(1, 3, 5)))
