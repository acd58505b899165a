"""What an ancestor's version of a labelmap holds in a brick, and how the labels of a run are laid over it.

A run replaces the voxels of its subvolumes and no other. Cores are multiples of 64 voxels, so down to scale 4 a voxel
of a coarser scale lies in one core; only at the edge of the volume it may hold voxels beyond, and is then replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emseg.dvid.label_block import BLOCK_VOX, SHAPE
from emseg.dvid.label_bricks import Labels, block_counts
from emseg.dvid.label_index import IndexTable
from emseg.dvid.labelmap import Labelmap
from emseg.geometry import Box, Vec


@dataclass(frozen=True, eq=False)
class OldLabels:
    """The stored blocks of a box of blocks: SHA-256 of each by coordinates ZYX, and the voxels, uint64 ZYX.

    `labels` is None where nothing is stored.
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

    def counts_in(self, parts: Sequence[Box]) -> IndexTable:
        """Voxels of each old supervoxel in each block that lie in `parts` (boxes of voxels at this scale)."""
        if self.labels is None:
            return IndexTable.joined([])
        inside = np.zeros_like(self.labels)
        for part in parts:
            where = part.slices(self._origin)
            inside[where] = self.labels[where]
        return block_counts(inside, self.box_blocks.start)

    def overlaid(self, labels: Labels, parts: Sequence[Box]) -> Labels:
        """`labels` (of the whole box) in `parts`, the old ones elsewhere."""
        if self.labels is None:
            return labels
        merged = self.labels.copy()
        for part in parts:
            where = part.slices(self._origin)
            merged[where] = labels[where]
        return merged

    def blocks_to_write(self, labels: Labels, parts: Sequence[Box]) -> dict[Vec, Labels]:
        """The blocks of `labels` that `parts` touch: those with a label, and empty ones over what is stored."""
        touched = {block for part in parts for block in _blocks_touching(part)}
        blocks: dict[Vec, Labels] = {}
        for block in sorted(touched):
            voxels = labels[_voxels_of(block).slices(self._origin)]
            if block in self.digests or voxels.any():
                blocks[block] = voxels
        return blocks

    @property
    def _origin(self) -> Vec:
        return _voxels_of(self.box_blocks.start).start


def halved(parts: Sequence[Box]) -> list[Box]:
    """The same boxes in voxels of the next coarser scale, grown to whole ones."""
    return [Box(_half(part.covering((2, 2, 2)).start), _half(part.covering((2, 2, 2)).stop)) for part in parts]


def _half(corner: Vec) -> Vec:
    return corner[0] // 2, corner[1] // 2, corner[2] // 2


def _voxels_of(block: Vec) -> Box:
    return Box.of_shape(SHAPE, (block[0] * BLOCK_VOX, block[1] * BLOCK_VOX, block[2] * BLOCK_VOX))


def _blocks_touching(part: Box) -> list[Vec]:
    covered = part.covering(SHAPE)
    z, y, x = (range(a // BLOCK_VOX, b // BLOCK_VOX) for a, b in zip(covered.start, covered.stop, strict=True))
    return [(i, j, k) for i in z for j in y for k in x]
