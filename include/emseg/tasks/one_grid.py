"""Whether two instances are about the same voxels: one size, and positions that can belong together.

Example: ground truth made at 16 nm beside grayscale of 8 nm is refused. Voxel (10, 10, 10) of one is not the tissue of
voxel (10, 10, 10) of the other, so every score would be wrong, and the result would be blamed.
"""

from __future__ import annotations

from itertools import permutations

from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate, VoxelSize, checked_box, same_voxel_size

BLOCK_VOX = 64
"""Other clients tell extents in whole blocks, so a box may be that much larger than its voxels."""

AGAIN = "Ingest it again, into a new instance, with an offset of 0 or more"


def check_extents(extents: Box | None, doing: str, on: str) -> Box:
    """The extents of an instance; PermanentError where it holds no voxel, or voxels that DVID cannot serve."""
    if extents is None:
        raise PermanentError(doing, on, "the instance holds no voxel", "Ingest the volume first")
    return checked_box(extents, doing, on, AGAIN)


def check_voxel_size(
    size_nm: VoxelSize, other_nm: VoxelSize, doing: str, on: str, other: str = "the grayscale"
) -> None:
    """PermanentError for voxels of another size than those of the `other` instance."""
    if not same_voxel_size(size_nm, other_nm):
        turned = " (the axes are turned)" if sorted(size_nm) == sorted(other_nm) else ""
        raise PermanentError(
            doing,
            on,
            f"its voxels are {size_nm} nm and those of {other} {other_nm} nm, Z Y X{turned}: equal positions "
            "are not the same tissue",
            f"Ingest it again, resampled to {other} and under another instance name, or name another instance",
        )


def check_overlap(box: Box, other: Box, doing: str, on: str, named: str = "the grayscale") -> None:
    """PermanentError for labels that share no voxel with the `other` box, or fit into it only with turned axes."""
    told = f"it covers {box.start}-{box.stop} and {named} {other.start}-{other.stop} (ZYX)"
    if box.clipped(other).is_empty:
        raise PermanentError(
            doing, on, f"{told}, so they share no voxel", "Ingest it again at the offset of its tissue"
        )
    room = other.covering(BLOCK_VOX)
    if not room.contains(box) and any(room.contains(_turned(box, axes)) for axes in permutations(range(3))):
        raise PermanentError(
            doing,
            on,
            f"{told}; it fits into {named} only with its axes turned",
            "Ingest it again with its axes in the order Z, Y, X: numpy.transpose turns them",
        )


def _turned(box: Box, axes: tuple[int, ...]) -> Box:
    return Box(Coordinate.of(box.start[axis] for axis in axes), Coordinate.of(box.stop[axis] for axis in axes))
