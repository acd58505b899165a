"""A brick's blocks at every scale, one after the other, laid over what an ancestor's version of the labelmap holds.

Each block is made, counted, encoded and halved while the processor's cache holds it; a coarser one follows on its
eight. Which voxels change is said by masks; no other is touched. At the next coarser scale a voxel changes where one
of its eight does, and is then made from what all eight are now. Memory: 2.25 MB a scale.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.dvid.coordinates import blocks_at_finer_scale
from emseg.dvid.downsample import downsample_labels
from emseg.dvid.label_block import SHAPE, EncodedBlock, encode_block, unpack_block
from emseg.dvid.label_bricks import Labels, counted, write_blocks
from emseg.dvid.label_index import IndexTable, check_indices
from emseg.dvid.labelmap import Labelmap, PackedBlock
from emseg.dvid.sub_blocks import BLOCK_VOX
from emseg.geometry import Vec

Mask = npt.NDArray[np.bool_]
_HALF = BLOCK_VOX // 2


@dataclass(frozen=True, eq=False)
class NewLabels:
    """What a block is to hold where it changes, (64, 64, 64) ZYX.

    `labels` are uint64, or uint32 places in the uint64 `ids` (the first of which is 0). `changed` says which voxels are
    meant, None means all of them; what is not meant is 0.
    """

    labels: Labels | npt.NDArray[np.uint32]
    ids: npt.NDArray[np.uint64] | None = None
    changed: Mask | None = None

    def encoded(self) -> EncodedBlock:
        """As a block of DVID."""
        return encode_block(self.labels, self.ids)

    def over(self, old: Labels | None) -> NewLabels:
        """The whole block: `old` labels (None: 0) where nothing changes."""
        if self.changed is None or old is None:
            return self
        labels = self.labels if self.ids is None else self.ids[self.labels]
        return NewLabels(np.where(self.changed, labels, old), None, self.changed)


class LabelPyramid:
    """The blocks of one brick, to be gone through once.

    `top` is its one block at the coarsest scale; `old` are the packed blocks that the ancestor has in it, by scale;
    `new` gives the labels of a block of scale 0, None where nothing of it changes.
    """

    def __init__(self, top: Vec, old: Sequence[Mapping[Vec, bytes]], new: Callable[[Vec], NewLabels | None]) -> None:
        self._top, self._old, self._new = top, old, new
        self._new_rows: list[IndexTable] = []
        self._replaced_rows: list[IndexTable] = []
        self._rooms = [(np.empty(SHAPE, np.uint64), np.empty(SHAPE, np.bool_)) for _ in old[1:]]

    @property
    def counts(self) -> IndexTable:
        """Voxels of each new label in each block of scale 0 that was made so far."""
        return IndexTable.joined(self._new_rows)

    @property
    def replaced(self) -> IndexTable:
        """Voxels of each old label that gave way, likewise."""
        return IndexTable.joined(self._replaced_rows)

    def write(self, labelmap: Labelmap) -> int:
        """Write all blocks and read them back, with the checks and errors of `write_blocks`; how many were written.

        Packed blocks of coarser scales are kept until those of scale 0 are stored.
        """
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
            written += write_blocks(labelmap, scale, blocks, box_blocks, self._old[scale])
        return written

    def blocks(self) -> Iterator[tuple[int, PackedBlock]]:
        """The blocks to write with their scales, each after those that it is made from.

        They are those with a changed voxel; of the empty ones only those that hide what the ancestor has. A label that
        DVID cannot keep is refused (IndexTableError) before its block is given.
        """
        half = np.empty((_HALF,) * 3, np.uint64), np.empty((_HALF,) * 3, np.bool_)
        yield from self._block(len(self._old) - 1, self._top, *half)

    def _block(
        self, scale: int, block: Vec, half: Labels, half_changed: Mask
    ) -> Generator[tuple[int, PackedBlock], None, None]:
        """Make one block, leave it at half the resolution, and which voxels of that change."""
        new = self._new(block) if scale == 0 else (yield from self._of_finer(scale, block))
        if new is None:
            half_changed[...] = False
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
                gone = old if new.changed is None else old * new.changed
                self._replaced_rows.append(counted(block, encode_block(gone)))
        if old is not None or encoded.holds_any:
            yield scale, (block, encoded.packed())
        downsample_labels(whole.labels, whole.ids, half)
        half_changed[...] = True if new.changed is None else coarser(new.changed)

    def _of_finer(self, scale: int, block: Vec) -> Generator[tuple[int, PackedBlock], None, NewLabels | None]:
        """A block from the eight that it covers at the next finer scale, in the room of its scale."""
        labels, changed = self._rooms[scale - 1]
        first = blocks_at_finer_scale(block, 1).start
        for z, y, x in np.ndindex(2, 2, 2):
            at = tuple(slice(side * _HALF, (side + 1) * _HALF) for side in (z, y, x))
            finer = (first[0] + z, first[1] + y, first[2] + x)
            yield from self._block(scale - 1, finer, labels[at], changed[at])
        if not changed.any():
            return None
        if changed.all():
            return NewLabels(labels)
        labels[~changed] = 0
        return NewLabels(labels, None, changed)


def coarser(mask: Mask) -> Mask:
    """Half of a ZYX mask with even sides: True where any of the eight voxels is."""
    mask = mask[::2] | mask[1::2]
    mask = mask[:, ::2] | mask[:, 1::2]
    return mask[:, :, ::2] | mask[:, :, 1::2]
