"""Grayscale in DVID at several resolutions: instance `grayscale`, and `grayscale_1`, `grayscale_2` at half, a quarter.

Neuroglancer finds the coarser instances by these names. A voxel of a coarser scale is the mean of its 2 x 2 x 2 finer
ones (of those that lie in the volume, also in parts that were ingested before), rounded to the nearest. A brick owns
whole blocks at every scale, so writers of different bricks share none. Memory of `write`: two parts of `PART_BYTES`,
whatever the number of scales.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.dvid import BLOCK_VOX, Grayscale, Node
from emseg.dvid.instances import VecNm
from emseg.dvid.request_boxes import request_boxes
from emseg.geometry import Box, Coordinate, checked_voxel_size
from emseg.ingest.bricks import PART_BYTES
from emseg.ingest.gray_extents import DOING, extents_with, require_all_scales, require_no_others
from emseg.ingest.sources import VolumeSource
from emseg.ingest.targets import require_name

Image = npt.NDArray[np.uint8]


class GrayPyramid:
    """The volume `source` (uint8) with its voxels at `box`, in `max_scale` + 1 instances of a node."""

    def __init__(
        self, node: Node, instance: str, source: VolumeSource, box: Box, max_scale: int, volume: Box | None = None
    ) -> None:
        """Nothing is sent. `volume` is what `create` returned, for whoever writes bricks in another process."""
        names = [instance, *(f"{instance}_{scale}" for scale in range(1, max_scale + 1))]
        self._node, self._instances = node, [Grayscale(node, name) for name in names]
        self._source, self._box, self._volume = source, box, volume or box

    def create(self, voxel_size_nm: VecNm) -> Box:
        """Make the instances, or adopt those that are there. Returns the extents that the volume will have."""
        self._volume = self.check(voxel_size_nm)
        for gray, size in self._sizes(voxel_size_nm):
            gray.create(size)
        return self._volume

    def check(self, voxel_size_nm: VecNm) -> Box:
        """The extents that the volume will have; PermanentError for what `create` refuses. Writes nothing."""
        require_name(self._instances[0].instance)
        sizes = self._sizes(voxel_size_nm)
        there = self._node.repo().instances
        for gray, size in sizes:
            if gray.instance in there:
                gray.require(size)
        boxes = [self._box.coarser(1 << scale) for scale in range(len(self._instances))]
        extents = [
            extents_with(gray, box) if gray.instance in there else box
            for gray, box in zip(self._instances, boxes, strict=True)
        ]
        require_all_scales(self._instances, extents, there)
        return extents[0]

    def _sizes(self, voxel_size_nm: VecNm) -> list[tuple[Grayscale, VecNm]]:
        z, y, x = checked_voxel_size(voxel_size_nm, DOING, f"instance {self._instances[0].instance!r}")
        return [(gray, (z * 2**scale, y * 2**scale, x * 2**scale)) for scale, gray in enumerate(self._instances)]

    def write(self, brick: Box) -> int:
        """Write the voxels of a brick at every scale; returns how many of them are the source's. Twice is as once."""
        scale = len(self._instances) - 1
        self._written(scale, brick.coarser(1 << scale))
        return brick.clipped(self._box).voxels

    def finish(self) -> None:
        """Set the extents, once all bricks are written."""
        require_no_others(self._instances[0], self._volume)
        for scale, gray in enumerate(self._instances):
            gray.set_extents(self._volume.coarser(1 << scale))

    def _written(self, scale: int, region: Box) -> Image:
        """Write what lies in `region`, whole blocks in voxels of `scale`, at this and all finer scales; return it."""
        part = region.clipped(self._box.coarser(1 << scale))
        if scale == 0:
            image = self._source.read(part.translated(-self._box.start))
        else:
            image = np.empty(part.shape, np.uint8)
            for finer in request_boxes(region.finer(2), (2 * BLOCK_VOX,) * 3, self._part_voxels):
                inside = finer.clipped(self._box.coarser(1 << (scale - 1)))
                if not inside.is_empty:
                    own = self._written(scale - 1, finer)
                    whole = inside.coarser(2).finer(2).clipped(self._volume.coarser(1 << (scale - 1)))
                    half = averaged(self._among(scale - 1, inside, own, whole), whole.start)
                    image[inside.coarser(2).slices(part.start)] = half
        self._instances[scale].write(part, image)
        return image

    def _among(self, scale: int, inside: Box, own: Image, whole: Box) -> Image:
        """The voxels of `whole`: `own` at `inside`, and around them those that another part of the volume wrote."""
        if whole == inside:
            return own
        image = self._instances[scale].read(whole)
        image[inside.slices(whole.start)] = own
        return image

    @property
    def _part_voxels(self) -> int:
        return PART_BYTES // self._source.dtype.itemsize


def averaged(image: Image, start: Coordinate) -> Image:
    """Half of a ZYX image that begins at voxel `start`: each voxel is the mean of those of its 2 x 2 x 2 in the image.

    Worked: 1 2 in a row that begins at 0 gives 2 (1.5 rounds up); at voxel 1 it gives 1 2, because the pairs are
    (0, 1) and (2, 3), and half of each is outside.
    """
    # A repeated face leaves the mean of the voxels inside as it is.
    pads = [(first % 2, (first + length) % 2) for first, length in zip(start, image.shape, strict=True)]
    whole = np.pad(image, pads, mode="edge") if any(map(any, pads)) else image
    total = np.full(tuple(n // 2 for n in whole.shape), 4, np.uint16)
    for corner in Box.of_shape((2, 2, 2)).coordinates():
        total += whole[tuple(slice(at, None, 2) for at in corner)]
    return (total >> 3).astype(np.uint8)
