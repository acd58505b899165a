"""Grayscale: uint8 images in a DVID instance of type uint8blk, read and written as ZYX arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emseg.dvid.coordinates import xyz_text
from emseg.dvid.extents import set_extents
from emseg.dvid.instances import VecNm, array_info, create_instance, refuse_instance, voxel_settings
from emseg.dvid.nodes import Node
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate, same_voxel_size

REQUEST_VOXELS = 64 << 20
"""Largest request, 64 MB: well below DVID's own limits of 600 s and 3 GiB."""


@dataclass(frozen=True)
class GrayscaleInfo:
    """Which voxels hold data (None: nothing was written), edge of the cubic storage block, voxel size ZYX."""

    extents: Box | None
    block_vox: int
    voxel_size_nm: VecNm


class Grayscale:
    """The uint8blk instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def create(self, voxel_size_nm: VecNm, block_vox: int = 64) -> None:
        """Make the instance (lossless LZ4 at rest), or adopt one of the same type, block and voxel size."""
        voxels = voxel_settings(self.node, self.instance, voxel_size_nm)
        settings = {"BlockSize": ",".join([str(block_vox)] * 3), "Compression": "lz4"} | voxels
        if not create_instance(self.node, self.instance, "uint8blk", settings):
            self.require(voxel_size_nm, block_vox)

    def require(self, voxel_size_nm: VecNm, block_vox: int = 64) -> None:
        """PermanentError unless the instance, which exists, is of this voxel size and block."""
        found = self.info()
        if found.block_vox != block_vox or not same_voxel_size(found.voxel_size_nm, voxel_size_nm):
            raise refuse_instance(
                self.node,
                self.instance,
                f"it exists with blocks of {found.block_vox} voxels of {found.voxel_size_nm} nm",
                f"Use another name, or blocks of {found.block_vox} and voxels of {found.voxel_size_nm} nm",
            )

    def info(self) -> GrayscaleInfo:
        """The instance's record, as of now."""
        found = array_info(self.node, self.instance)
        if found.type != "uint8blk" or len(set(found.block_vox)) != 1:
            raise refuse_instance(
                self.node,
                self.instance,
                f"it is of type {found.type} with blocks of {found.block_vox} voxels",
                "Name an instance of type uint8blk with cubic blocks",
            )
        return GrayscaleInfo(found.extents, found.block_vox[0], found.voxel_size_nm)

    def read(self, box: Box) -> npt.NDArray[np.uint8]:
        """Voxels of `box` as uint8 ZYX, any alignment; 0 where nothing was written."""
        image = np.empty(box.shape, np.uint8)
        for part in request_boxes(box, self._block, REQUEST_VOXELS):
            body = self.node.server.get(self._raw(part), expected_bytes=part.voxels)
            image[part.slices(box.start)] = np.frombuffer(body, np.uint8).reshape(part.shape)
        return image

    def write(self, box: Box, image: npt.NDArray[np.uint8]) -> Box:
        """Replace the voxels of `box` and return the whole blocks that were sent. Posting twice changes nothing.

        DVID stores whole blocks: where `box` cuts through one, the rest of it is read first and sent back (0 where
        nothing was). Two writers must therefore never share a block. Extents grow to whole blocks: set them afterwards.
        """
        if image.shape != box.shape or image.dtype != np.uint8:
            raise PermanentError(
                "writing grayscale",
                f"{self.instance!r}, box {box.start}-{box.stop}",
                f"the array is {image.dtype} of shape {image.shape}",
                f"Give uint8 of shape {box.shape}",
            )
        blocks = box.covering(self._block)
        for sent in request_boxes(blocks, self._block, REQUEST_VOXELS):
            inside = sent.clipped(box)
            whole = image[inside.slices(box.start)] if inside == sent else self._merged(sent, inside, image, box)
            self.node.server.post(self._raw(sent), np.ascontiguousarray(whole).tobytes(), repeatable=True)
        return blocks

    def set_extents(self, box: Box) -> None:
        """Tell the node and viewers which voxels hold data; overwrites what the node told.

        The blocks at two corners are posted once more as they are. When all writers have ended, one calls this.
        """
        set_extents(self.node, self.instance, box, self._block.x, self._post_again)

    def _post_again(self, blocks: list[Coordinate]) -> None:
        for block in blocks:
            box = Box.of_shape((1, 1, 1), block).finer(self._block)
            self.write(box, self.read(box))

    def _merged(self, sent: Box, inside: Box, image: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
        whole = self.read(sent)
        whole[inside.slices(sent.start)] = image[inside.slices(box.start)]
        return whole

    @cached_property
    def _block(self) -> Coordinate:
        side = self.info().block_vox
        return Coordinate(side, side, side)

    def _raw(self, box: Box) -> str:
        return self.node.path(self.instance, "raw", "0_1_2", xyz_text(box.shape), xyz_text(box.start))
