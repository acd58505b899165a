"""Bodies that a run leaves as they are: where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.dvid.label_block import SHAPE
from emseg.dvid.labelmap import Labelmap
from emseg.dvid.pieces import pieces
from emseg.geometry import Box

PIECE_VOX = 64 * SHAPE[0] ** 3
"""Voxels read at once, 128 MB."""


def voxels_of_bodies(labelmap: Labelmap, bodies: Sequence[int], box: Box) -> npt.NDArray[np.bool_]:
    """Which voxels of `box` (scale 0) belong to one of `bodies`; bool ZYX. Without bodies nothing is read."""
    found = np.zeros(box.shape, bool)
    if bodies:
        for piece in pieces(box, SHAPE, PIECE_VOX):
            labels = fastremap.mask_except(labelmap.read(piece), list(bodies), in_place=True)
            found[piece.slices(box.start)] = labels > 0
    return found
