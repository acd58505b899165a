"""What an ancestor's version of a labelmap holds, and how the labels of a run are laid over it.

Which voxels change is said by a mask; no other is touched. At the next coarser scale a voxel changes where one of its
eight does, and is then made from what all eight are now.
"""

from __future__ import annotations

from dataclasses import dataclass

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.dvid.label_block import SHAPE
from emseg.dvid.label_block_kernels import BLOCK_VOX
from emseg.dvid.label_bricks import Labels, block_counts, holds_any
from emseg.dvid.label_index import IndexTable
from emseg.dvid.labelmap import Labelmap
from emseg.geometry import Box, Vec

Mask = npt.NDArray[np.bool_]
NO_LABEL = np.uint64(0)


@dataclass(frozen=True, eq=False)
class OldLabels:
    """The stored blocks of a box of blocks: SHA-256 of each by coordinates ZYX, and the voxels, uint64 ZYX.

    `labels` is None where nothing is stored. Masks are bool ZYX of the whole box.
    """

    box_blocks: Box
    digests: dict[Vec, str]
    labels: Labels | None

    @classmethod
    def read(cls, ancestor: Labelmap, box_blocks: Box, scale: int) -> OldLabels:
        """What `ancestor` holds, supervoxels; reading costs one request where nothing is stored."""
        digests: dict[Vec, str] = {}
        labels: Labels | None = None
        origin = _voxels_of(box_blocks.start).start
        for block, digest, voxels in ancestor.stored_blocks(box_blocks, scale):
            if labels is None:
                z, y, x = box_blocks.shape
                labels = np.zeros((z * BLOCK_VOX, y * BLOCK_VOX, x * BLOCK_VOX), np.uint64)
            digests[block] = digest
            labels[_voxels_of(block).slices(origin)] = voxels
        return cls(box_blocks, digests, labels)

    def counts_in(self, mask: Mask) -> IndexTable:
        """Voxels of each old supervoxel in each block that lie in `mask`."""
        rows = []
        if self.labels is not None:
            for block in sorted(self.digests):  # the server gave them in any order
                at = _voxels_of(block).slices(_voxels_of(self.box_blocks.start).start)
                rows.append(block_counts(np.where(mask[at], self.labels[at], NO_LABEL), block))
        return IndexTable.joined(rows)

    def fill_unchanged(self, labels: Labels, changed: Mask) -> None:
        """Write the old labels, 0 where there are none, into `labels` (of the whole box) where nothing is `changed`."""
        if not changed.all():
            np.copyto(labels, NO_LABEL if self.labels is None else self.labels, where=~changed)

    def blocks_to_write(self, labels: Labels, changed: Mask) -> dict[Vec, Labels]:
        """The blocks of `labels` with a `changed` voxel: those with a label, and empty ones over what is stored."""
        blocks: dict[Vec, Labels] = {}
        for offset in np.ndindex(self.box_blocks.shape):
            at = Box.of_shape(SHAPE, _times(offset)).slices()
            z, y, x = (a + b for a, b in zip(self.box_blocks.start, offset, strict=True))
            if holds_any(changed[at]) and ((z, y, x) in self.digests or holds_any(labels[at])):
                blocks[z, y, x] = labels[at]
        return blocks


def kept_supervoxels(ancestor: Labelmap, box: Box, changed: Mask) -> npt.NDArray[np.uint64]:
    """The supervoxels that `ancestor` has in `box` (whole blocks) at voxels that are not `changed`, ascending.

    A block is held at a time; nothing is read where all is changed.
    """
    if changed.all():
        return np.empty(0, np.uint64)
    box_blocks = Box(_over(box.start), _over(box.stop))
    found = [np.empty(0, np.uint64)]
    for block, _, voxels in ancestor.stored_blocks(box_blocks, 0):
        found.append(fastremap.unique(voxels[~changed[_voxels_of(block).slices(box.start)]]))
    kept = np.unique(np.concatenate(found))
    return kept[kept > 0]


def coarser(mask: Mask) -> Mask:
    """Half of a ZYX mask with even sides: True where any of the eight voxels is."""
    mask = mask[::2] | mask[1::2]
    mask = mask[:, ::2] | mask[:, 1::2]
    return mask[:, :, ::2] | mask[:, :, 1::2]


def _voxels_of(block: Vec) -> Box:
    return Box.of_shape(SHAPE, _times(block))


def _times(blocks: Vec) -> Vec:
    return blocks[0] * BLOCK_VOX, blocks[1] * BLOCK_VOX, blocks[2] * BLOCK_VOX


def _over(voxels: Vec) -> Vec:
    return voxels[0] // BLOCK_VOX, voxels[1] // BLOCK_VOX, voxels[2] // BLOCK_VOX
