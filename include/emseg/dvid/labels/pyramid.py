"""The blocks of a brick at every scale: new labels where a mask selects voxels, inherited labels elsewhere.

Each block is made, counted, encoded and halved while the processor's cache holds it; a coarser block is made as soon as
its eight finer ones are there. Masks select the voxels to replace, and no others change. At the next coarser scale a
voxel is replaced if one of its eight finer voxels is; its label is computed from all eight. Memory: 2.25 MB a scale.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Ids, Labels32, Labels64, Mask
from emseg.dvid.coordinates import blocks_at_finer_scale, one_block
from emseg.dvid.labels.block import SHAPE, EncodedBlock, encode_block, unpack_block
from emseg.dvid.labels.bricks import compare_blocks, counted, write_blocks
from emseg.dvid.labels.downsample import downsample_labels
from emseg.dvid.labels.index import IndexTable, check_indices
from emseg.dvid.labels.labelmap import Labelmap, PackedBlock
from emseg.geometry import Box, Coordinate
from emseg.kernels.sub_blocks import BLOCK_VOX

_HALF = BLOCK_VOX // 2


@dataclass(frozen=True, eq=False)
class NewLabels:
    """New labels of a block, (64, 64, 64) ZYX.

    `labels` are uint64, or uint32 indices into the uint64 `ids`, of which the first is 0. `replaced` selects the voxels
    that get them, None means all voxels; the labels of the others are 0.
    """

    labels: Labels64 | Labels32
    ids: Ids | None = None
    replaced: Mask | None = None

    def encoded(self) -> EncodedBlock:
        """The labels as a block of DVID."""
        return encode_block(self.labels, self.ids)

    def over(self, old: Labels64 | None) -> NewLabels:
        """The whole block: the inherited labels `old` (None: 0) where no voxel is replaced."""
        if self.replaced is None or old is None:
            return self
        labels = self.labels if self.ids is None else self.ids[self.labels]
        return NewLabels(np.where(self.replaced, labels, old), None, self.replaced)


class LabelPyramid:
    """The blocks of one brick; they can be made once."""

    def __init__(
        self, top: Coordinate, old: Sequence[Mapping[Coordinate, bytes]], new: Callable[[Coordinate], NewLabels | None]
    ) -> None:
        """Nothing is made yet.

        `top` is the brick's one block at the coarsest scale. `old` are the packed blocks that the ancestor has in the
        brick, by scale. `new` gives the labels of a block of scale 0, None where no voxel of it is replaced.
        """
        self._top, self._old, self._new = top, old, new
        self._new_rows: list[IndexTable] = []
        self._replaced_rows: list[IndexTable] = []
        self._buffers = [(np.empty(SHAPE, np.uint64), np.empty(SHAPE, np.bool_)) for _ in old[1:]]

    @property
    def counts(self) -> IndexTable:
        """Voxels of each new label in each block of scale 0, of the blocks made so far."""
        return IndexTable.joined(self._new_rows)

    @property
    def replaced(self) -> IndexTable:
        """Voxels of each inherited label that were replaced, in each block of scale 0, of the blocks made so far."""
        return IndexTable.joined(self._replaced_rows)

    def write(self, labelmap: Labelmap) -> int:
        """Write all blocks and read them back, with the checks and errors of `write_blocks`; returns their number.

        Packed blocks of coarser scales are in memory until those of scale 0 are stored.
        """
        return self._each_scale(labelmap, write_blocks)

    def compare(self, labelmap: Labelmap) -> int:
        """As `write` where all blocks were written before: nothing is sent, and the errors are the same."""
        return self._each_scale(labelmap, compare_blocks)

    def _each_scale(self, labelmap: Labelmap, call: Callable[..., int]) -> int:
        coarser: list[list[PackedBlock]] = [[] for _ in self._old[1:]]

        def finest() -> Iterator[PackedBlock]:
            for scale, block in self.blocks():
                if scale == 0:
                    yield block
                else:
                    coarser[scale - 1].append(block)

        written = 0
        for scale, blocks in enumerate([finest(), *coarser]):
            box_blocks = blocks_at_finer_scale(self._top, len(coarser) - scale)
            written += call(labelmap, scale, blocks, box_blocks, self._old[scale])
        return written

    def blocks(self) -> Iterator[tuple[int, PackedBlock]]:
        """The blocks to write with their scales, each after the finer ones that it is made from.

        They are the blocks with a replaced voxel. Of these an empty one is written only if it hides a block of the
        ancestor. IndexTableError for a label that DVID cannot keep, before its block comes.
        """
        half = np.empty((_HALF,) * 3, np.uint64), np.empty((_HALF,) * 3, np.bool_)
        yield from self._block(len(self._old) - 1, self._top, *half)

    def _block(
        self, scale: int, block: Coordinate, half: Labels64, half_replaced: Mask
    ) -> Generator[tuple[int, PackedBlock], None, None]:
        """Make one block; put it at half the resolution into `half`, and its replaced voxels into `half_replaced`."""
        new = self._new(block) if scale == 0 else (yield from self._of_finer(scale, block))
        if new is None:
            half_replaced[...] = False
            return
        packed = self._old[scale].get(block)
        old = None if packed is None else unpack_block(packed)
        whole = new.over(old)
        encoded = whole.encoded()
        if scale == 0:
            rows = counted(block, encoded if whole is new else new.encoded())
            check_indices(rows)  # before a label that DVID cannot keep is written
            self._new_rows.append(rows)
            if old is not None:
                gone = old if new.replaced is None else old * new.replaced
                self._replaced_rows.append(counted(block, encode_block(gone)))
        if old is not None or encoded.holds_any:
            yield scale, (block, encoded.packed())
        downsample_labels(whole.labels, whole.ids, half)
        half_replaced[...] = True if new.replaced is None else coarser(new.replaced)

    def _of_finer(self, scale: int, block: Coordinate) -> Generator[tuple[int, PackedBlock], None, NewLabels | None]:
        """A block from the eight that it covers at the next finer scale, in the buffers of its scale."""
        labels, replaced = self._buffers[scale - 1]
        first = blocks_at_finer_scale(block, 1).start
        for offset in Box.of_shape((2, 2, 2)).coordinates():
            eighth = one_block(offset).finer(_HALF).slices()
            yield from self._block(scale - 1, first + offset, labels[eighth], replaced[eighth])
        if not replaced.any():
            return None
        if replaced.all():
            return NewLabels(labels)
        labels[~replaced] = 0
        return NewLabels(labels, None, replaced)


def coarser(mask: Mask) -> Mask:
    """A ZYX mask with even sides at half the resolution: True where any of the eight voxels is True."""
    mask = mask[::2] | mask[1::2]
    mask = mask[:, ::2] | mask[:, 1::2]
    return mask[:, :, ::2] | mask[:, :, 1::2]
