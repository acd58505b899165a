"""What a run leaves as it is: where preserved bodies lie, and which supervoxels stay beside new ones."""

from __future__ import annotations

from collections.abc import Sequence

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.dvid.coordinates import blocks_around, one_block, voxels_of
from emseg.dvid.label_block import SHAPE, unpack_block
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


def kept_supervoxels(ancestor: Labelmap, box: Box, changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """The supervoxels that `ancestor` has in `box` (whole blocks) at voxels that are not `changed`, ascending.

    A block is held at a time.
    """
    found = [np.empty(0, np.uint64)]
    for block, packed in ancestor.stored_blocks(blocks_around(box), 0):
        stays = ~changed[voxels_of(one_block(block)).slices(box.start)]
        found.append(fastremap.unique(unpack_block(packed)[stays]))
    kept = np.unique(np.concatenate(found))
    return kept[kept > 0]
