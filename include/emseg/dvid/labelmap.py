"""Labels: uint64 volumes in a DVID instance of type labelmap, read and written as 64^3 blocks.

Written are supervoxel ids at every scale, by `/ingest-supervoxels`: posting a block twice changes nothing, and neither
indices nor extents follow, so that many writers may work at once on disjoint blocks. When all have ended, one writer
posts the mappings (`label_mappings.py`), the indices (`label_index.py`) and the extents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from emseg.dvid.coordinates import xyz_text
from emseg.dvid.instances import VecNm, array_info, create_instance, refuse_instance, voxel_settings
from emseg.dvid.instances import set_extents as set_extents_of
from emseg.dvid.label_block import SHAPE, pack_block, unpack_block
from emseg.dvid.label_block_kernels import BLOCK_VOX
from emseg.dvid.label_stream import frame, frames
from emseg.dvid.nodes import Node
from emseg.dvid.pieces import pieces
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Vec

POST_BLOCKS = 64
"""Blocks of a request, kept packed until it ends: some hundred kilobytes, 218 MB at the very worst."""
MAX_LABEL = 1 << 48
"""Labels are below: later DVID builds keep no larger one."""
REQUEST_BLOCKS = 256
"""Blocks asked for at once: 2 MB of voxels each, well below 100 MB of stream for the densest real labels."""


@dataclass(frozen=True)
class LabelmapInfo:
    """Which voxels hold data (None: not set yet), voxel size ZYX, and the coarsest scale that is kept."""

    extents: Box | None
    voxel_size_nm: VecNm
    max_scale: int


class _Stream:
    """Blocks as the body of a request. Each is packed when it is its turn: meanwhile the server stores the last one."""

    def __init__(self, blocks: Mapping[Vec, npt.NDArray[np.uint64]]) -> None:
        self._blocks = blocks
        self.packed: dict[Vec, bytes] = {}

    def __iter__(self) -> Iterator[bytes]:
        for block, voxels in self._blocks.items():
            if block not in self.packed:
                self.packed[block] = pack_block(voxels)
            yield frame(block, self.packed[block])


class Labelmap:
    """The labelmap instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def create(self, max_scale: int, voxel_size_nm: VecNm) -> None:
        """Make the instance, or adopt one of equal settings. At least scale 1 is kept: viewers ignore fewer."""
        max_scale = max(1, max_scale)
        settings = {"BlockSize": "64,64,64", "Compression": "gzip", "MaxDownresLevel": str(max_scale)}
        if create_instance(self.node, self.instance, "labelmap", settings | voxel_settings(voxel_size_nm)):
            return
        found = self.info()
        if (found.max_scale, found.voxel_size_nm) != (max_scale, voxel_size_nm):
            raise refuse_instance(
                self.node,
                self.instance,
                f"it exists with scales up to {found.max_scale} and voxels of {found.voxel_size_nm} nm",
                f"Use another name, or max_scale {found.max_scale} and voxels of {found.voxel_size_nm} nm",
            )

    def info(self) -> LabelmapInfo:
        """The instance's record, as of now."""
        found = array_info(self.node, self.instance)
        if found.type != "labelmap" or found.block_vox != SHAPE or not found.compression.lower().startswith("gzip"):
            raise refuse_instance(
                self.node,
                self.instance,
                f"it is of type {found.type}, blocks of {found.block_vox} voxels, compression {found.compression!r}",
                "Name a labelmap instance with BlockSize 64,64,64 and Compression gzip",
            )
        return LabelmapInfo(found.extents, found.voxel_size_nm, found.max_scale)

    def ingest_supervoxels(self, scale: int, blocks: Mapping[Vec, npt.NDArray[np.uint64]]) -> dict[Vec, str]:
        """Write blocks (coordinates ZYX at `scale` -> (64, 64, 64) uint64) and return the SHA-256 of each as stored.

        An all-zero block hides what an ancestor holds there; where nothing was written, labels are 0 anyway. The
        caller sees to it that no two writers share a block.
        """
        self._check_scale(scale)
        where = self.node.path(self.instance, "ingest-supervoxels")
        digests: dict[Vec, str] = {}
        order = sorted(blocks)
        for at in range(0, len(order), POST_BLOCKS):
            stream = _Stream({block: blocks[block] for block in order[at : at + POST_BLOCKS]})
            self.node.server.post(where, stream, {"scale": str(scale)}, repeatable=True)
            digests |= {block: sha256(packed).hexdigest() for block, packed in stream.packed.items()}
        return digests

    def block_digests(self, box_blocks: Box, scale: int) -> dict[Vec, str]:
        """SHA-256 of each stored block in `box_blocks` (block coordinates ZYX at `scale`); absent blocks are left out.

        The server returns the very bytes that were posted, so this is what `ingest_supervoxels` returned.
        """
        stored = self._stored(box_blocks, scale, supervoxels=True)
        return dict(sorted((block, sha256(packed).hexdigest()) for block, packed in stored))

    def stored_blocks(self, box_blocks: Box, scale: int) -> Iterator[tuple[Vec, str, npt.NDArray[np.uint64]]]:
        """Coordinates, SHA-256 (as `block_digests`) and supervoxels of each stored block, in the server's order."""
        for block, packed in self._stored(box_blocks, scale, supervoxels=True):
            yield block, sha256(packed).hexdigest(), unpack_block(packed)

    def read(self, box: Box, supervoxels: bool = False, scale: int = 0) -> npt.NDArray[np.uint64]:
        """Bodies (or supervoxels) of `box`, voxels at `scale`, uint64 ZYX, any alignment; 0 where nothing is stored."""
        labels = np.zeros(box.shape, np.uint64)
        if box.is_empty:
            return labels
        for block, packed in self._stored(_block_box(box), scale, supervoxels):
            whole = Box.of_shape(SHAPE, _times(block))
            part = whole.clipped(box)
            voxels = labels[part.slices(box.start)]
            if part == whole:
                unpack_block(packed, voxels)
            else:
                voxels[...] = unpack_block(packed)[part.slices(whole.start)]
        return labels

    def max_label(self) -> int:
        """The largest label of the instance in this node or the nearest ancestor that has one; 0 if none has."""
        node = self.node
        while True:
            try:
                return int(node.server.get_json(node.path(self.instance, "maxlabel"))["maxlabel"])
            except PermanentError as error:
                # v1.0.0 keeps the number of each version that wrote by itself; later builds ask the parent.
                if "No maximum label" not in error.found:
                    raise
            parents = node.info().parents
            if not parents:
                return 0
            node = Node(node.server, parents[0])

    def raise_max_label(self, label: int) -> None:
        """Make this node's largest label at least `label`: the server gives proofreaders ids from there on.

        Posting indices makes it the largest body only, and a supervoxel above it would be given out a second time.
        """
        try:
            self.node.server.post(self.node.path(self.instance, "maxlabel", str(label)), b"", repeatable=True)
        except PermanentError as error:
            if "admin" not in error.found:
                raise
            # Later builds keep that call for administrators; anyone may reserve the ids up to there.
            missing = label - self.max_label()
            if missing > 0:
                self.node.server.post(self.node.path(self.instance, "nextlabel", str(missing)), b"")

    def set_extents(self, box: Box) -> None:
        """Say which voxels (scale 0) hold data; overwrites what was set."""
        set_extents_of(self.node, self.instance, box)

    def _stored(self, box_blocks: Box, scale: int, supervoxels: bool) -> Iterator[tuple[Vec, bytes]]:
        """The stored blocks of a box of blocks, each once, in the server's order."""
        self._check_scale(scale)
        params = {"compression": "blocks", "scale": str(scale)} | ({"supervoxels": "true"} if supervoxels else {})
        for piece in pieces(box_blocks, (1, 1, 1), REQUEST_BLOCKS):
            size, offset = xyz_text(_times(piece.shape)), xyz_text(_times(piece.start))
            where = self.node.path(self.instance, "blocks", size, offset)
            seen: set[Vec] = set()
            for block, packed in frames(self.node.server.get(where, params), where):
                if block in seen or not piece.contains(Box.of_shape((1, 1, 1), block)):
                    raise IntegrityError(
                        "reading label blocks from DVID", where, f"block {block} came unasked or twice", "Try again"
                    )
                seen.add(block)
                yield block, packed

    @cached_property
    def _max_scale(self) -> int:
        return self.info().max_scale

    def _check_scale(self, scale: int) -> None:
        # The server takes any scale and shows those above its last one to nobody.
        if not 0 <= scale <= self._max_scale:
            raise refuse_instance(
                self.node,
                self.instance,
                f"scale {scale} was asked for, it keeps scales 0 to {self._max_scale}",
                "Create the instance with a larger max_scale",
            )


def _block_box(box: Box) -> Box:
    covered = box.covering(SHAPE)
    return Box(_over(covered.start), _over(covered.stop))


def _times(blocks: Vec) -> Vec:
    return blocks[0] * BLOCK_VOX, blocks[1] * BLOCK_VOX, blocks[2] * BLOCK_VOX


def _over(voxels: Vec) -> Vec:
    return voxels[0] // BLOCK_VOX, voxels[1] // BLOCK_VOX, voxels[2] // BLOCK_VOX
