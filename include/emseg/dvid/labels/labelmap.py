"""A labelmap: the uint64 volume of a DVID instance, read and written as 64^3 blocks of supervoxel ids.

Many writers may write at once, each its own blocks, by `/ingest-supervoxels`: posting a block twice changes nothing,
and DVID does not touch indices or extents. When all writers have ended, one of them posts the rest (`contents.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice

import numpy as np

from emseg.array_types import Labels64
from emseg.dvid.coordinates import blocks_around, one_block, voxels_of, xyz_text
from emseg.dvid.errors import AdministratorOnlyError, NoLargestLabelError
from emseg.dvid.extents import set_extents
from emseg.dvid.instances import VecNm, array_info, create_instance, refuse_instance, voxel_settings
from emseg.dvid.labels.block import SHAPE, pack_block, unpack_block
from emseg.dvid.labels.stream import frame, frames
from emseg.dvid.nodes import Node
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import IntegrityError
from emseg.geometry import Box, Coordinate, same_voxel_size
from emseg.kernels.sub_blocks import BLOCK_VOX

PackedBlock = tuple[Coordinate, bytes]
"""Coordinates of a block, ZYX at its scale, and its bytes as `pack_block` makes them."""
POST_BLOCKS = 64
"""Blocks of a request, kept packed until it ends: some hundred kilobytes, 218 MB at the very worst."""
MOST_SCALES = 10
"""Coarsest scale that can be asked for: there a block of 64 voxels covers 65536 of scale 0."""
REQUEST_BLOCKS = 256
"""Blocks asked for at once: 2 MB of voxels each, well below 100 MB of stream for the densest real labels."""


@dataclass(frozen=True)
class LabelmapInfo:
    """Which voxels hold data (None: not set yet), voxel size ZYX, and the coarsest scale that is kept."""

    extents: Box | None
    voxel_size_nm: VecNm
    max_scale: int


class Labelmap:
    """The labelmap instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def create(self, max_scale: int, voxel_size_nm: VecNm) -> None:
        """Make the instance, or adopt one of equal settings. At least scale 1 is kept: viewers ignore fewer.

        PermanentError, before anything is sent, for scales outside 0 to `MOST_SCALES` and for what is no voxel size.
        """
        kept = self._kept_scale(max_scale)
        settings = {"BlockSize": "64,64,64", "Compression": "gzip", "MaxDownresLevel": str(kept)}
        voxels = voxel_settings(self.node, self.instance, voxel_size_nm)
        if not create_instance(self.node, self.instance, "labelmap", settings | voxels):
            self.require(max_scale, voxel_size_nm)

    def check(self, max_scale: int, voxel_size_nm: VecNm) -> bool:
        """Whether the instance exists; PermanentError for all that `create` would refuse. Writes nothing."""
        self._kept_scale(max_scale)
        voxel_settings(self.node, self.instance, voxel_size_nm)
        exists = self.node.has(self.instance)
        if exists:
            self.require(max_scale, voxel_size_nm)
        return exists

    def require(self, max_scale: int, voxel_size_nm: VecNm) -> None:
        """PermanentError unless the instance, which exists, has these settings."""
        max_scale, found = self._kept_scale(max_scale), self.info()
        if found.max_scale != max_scale or not same_voxel_size(found.voxel_size_nm, voxel_size_nm):
            raise refuse_instance(
                self.node,
                self.instance,
                f"it exists with scales up to {found.max_scale} and voxels of {found.voxel_size_nm} nm",
                f"Use another name, or max_scale {found.max_scale} and voxels of {found.voxel_size_nm} nm",
            )

    def _kept_scale(self, max_scale: int) -> int:
        if not 0 <= max_scale <= MOST_SCALES:
            raise refuse_instance(
                self.node, self.instance, f"max_scale is {max_scale}", f"Give a max_scale of 0 to {MOST_SCALES}"
            )
        return max(1, max_scale)

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

    def ingest_supervoxels(self, scale: int, blocks: Iterable[PackedBlock]) -> dict[Coordinate, str]:
        """Write blocks of `scale`, `POST_BLOCKS` at a time, and return the SHA-256 of each as stored.

        A block of zeros hides the block of an ancestor; where no version has a block, labels are 0 anyway. The caller
        makes sure that no two writers share a block.
        """
        self._check_scale(scale)
        where = self.node.path(self.instance, "ingest-supervoxels")
        digests: dict[Coordinate, str] = {}
        left = iter(blocks)
        while some := list(islice(left, POST_BLOCKS)):
            self.node.server.post(where, [frame(*each) for each in some], {"scale": str(scale)}, repeatable=True)
            digests |= digests_of(some)
        return digests

    def stored_blocks(self, box_blocks: Box, scale: int) -> Iterator[PackedBlock]:
        """Each stored block of supervoxels in `box_blocks` (block coordinates ZYX at `scale`), in the server's order.

        The server returns the very bytes that it was sent, and no block where none is stored.
        """
        return self._stored(box_blocks, scale, supervoxels=True)

    def read(self, box: Box, supervoxels: bool = False, scale: int = 0) -> Labels64:
        """Bodies (or supervoxels) of `box`, voxels at `scale`, uint64 ZYX, any alignment; 0 where nothing is stored."""
        labels = np.zeros(box.shape, np.uint64)
        if box.is_empty:
            return labels
        for block, packed in self._stored(blocks_around(box), scale, supervoxels):
            whole = voxels_of(one_block(block))
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
            except NoLargestLabelError:
                pass
            parents = node.info().parents
            if not parents:
                return 0
            node = Node(node.server, parents[0])

    def raise_max_label(self, label: int) -> None:
        """Make this node's largest label at least `label`: the server numbers the bodies of proofreaders from there on.

        After a post of indices it is the largest body, which may be less than the largest supervoxel: without this
        call the server would use that supervoxel's id a second time.
        """
        try:
            self.node.server.post(self.node.path(self.instance, "maxlabel", str(label)), b"", repeatable=True)
        except AdministratorOnlyError:
            # Anyone may reserve the ids up to there.
            missing = label - self.max_label()
            if missing > 0:
                self.node.server.post(self.node.path(self.instance, "nextlabel", str(missing)), b"")

    def set_extents(self, box: Box) -> None:
        """Tell the node and viewers which voxels (scale 0) hold data; overwrites what the node told.

        The blocks at two corners are posted once more as they are, an empty one where none is stored. When all writers
        have ended, one calls this.
        """
        set_extents(self.node, self.instance, box, BLOCK_VOX, self._post_again)

    def _post_again(self, blocks: list[Coordinate]) -> None:
        stored = dict(each for block in blocks for each in self.stored_blocks(one_block(block), 0))
        body = b"".join(frame(block, stored.get(block) or pack_block(np.zeros(SHAPE, np.uint64))) for block in blocks)
        largest = self.max_label()
        if largest:  # or else a node that inherits it would take that of these blocks
            self.raise_max_label(largest)
        # The indices count these blocks already; DVID would add their voxels a second time.
        self.node.server.post(self.node.path(self.instance, "blocks"), body, {"noindexing": "true"}, repeatable=True)

    def _stored(self, box_blocks: Box, scale: int, supervoxels: bool) -> Iterator[PackedBlock]:
        """The stored blocks of a box of blocks, each once, in the server's order."""
        self._check_scale(scale)
        params = {"compression": "blocks", "scale": str(scale)} | ({"supervoxels": "true"} if supervoxels else {})
        for part in request_boxes(box_blocks, (1, 1, 1), REQUEST_BLOCKS):
            voxels = voxels_of(part)
            where = self.node.path(self.instance, "blocks", xyz_text(voxels.shape), xyz_text(voxels.start))
            seen: set[Coordinate] = set()
            for block, packed in frames(self.node.server.get(where, params), where):
                if block in seen or not part.contains(one_block(block)):
                    raise IntegrityError(
                        "reading label blocks from DVID",
                        where,
                        f"the server sent block {block}, which nobody asked for or which came before",
                        "Try again",
                    )
                seen.add(block)
                yield block, packed

    @cached_property
    def _max_scale(self) -> int:
        return self.info().max_scale

    def _check_scale(self, scale: int) -> None:
        # The server stores any scale, and shows nobody those above its last one.
        if not 0 <= scale <= self._max_scale:
            raise refuse_instance(
                self.node,
                self.instance,
                f"scale {scale} was asked for, it keeps scales 0 to {self._max_scale}",
                "Create the instance with a larger max_scale",
            )


def digests_of(blocks: Iterable[PackedBlock]) -> dict[Coordinate, str]:
    """SHA-256 of each block."""
    return {block: sha256(packed).hexdigest() for block, packed in blocks}
