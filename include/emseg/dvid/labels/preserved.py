"""Where preserved bodies lie: the voxels that a run neither segments nor replaces."""

from __future__ import annotations

from collections.abc import Sequence

import fastremap
import numpy as np

from emseg.array_types import Mask
from emseg.dvid.labels.block import SHAPE
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.request_boxes import request_boxes
from emseg.geometry import Box

READ_VOX = 64 * SHAPE[0] ** 3
"""Voxels read at once, 128 MB."""


def voxels_of_bodies(labelmap: Labelmap, bodies: Sequence[int], box: Box) -> Mask:
    """Which voxels of `box` (scale 0) belong to one of `bodies`; bool ZYX. Without bodies nothing is read."""
    found = np.zeros(box.shape, bool)
    if bodies:
        for part in request_boxes(box, SHAPE, READ_VOX):
            labels = fastremap.mask_except(labelmap.read(part), list(bodies), in_place=True)
            found[part.slices(box.start)] = labels > 0
    return found
