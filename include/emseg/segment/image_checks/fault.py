"""What an image check is, what it is given, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emseg.geometry import VoxelSize
from emseg.segment.image_checks.runs import Flags, runs
from emseg.segment.protocol import Gray, Mask

if TYPE_CHECKING:
    from emseg.segment.image_checks.texture import TextureStatistics

Slices = tuple[slice, slice, slice]
"""Index of a part of a volume, Z Y X."""

EVERYWHERE: Slices = (slice(None), slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class ImageFault:
    """One fault of a subvolume's image: its name, the voxels that have it (`where`, ZYX), and what is wrong there."""

    name: str
    what: str
    where: Flags
    of_sections: bool = False

    def text(self, inside: Slices) -> str:
        """The fault in a part of the image, in words: `sections 3-4 of 104 without signal`."""
        where = self.where[inside]
        return f"{_sections(where) if self.of_sections else f'{where.mean():.1%} of the voxels'} {self.what}"


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a check is given: grayscale uint8 ZYX, where segmentation is wanted (`mask`), and what is known already.

    `texture` is that of the model's training data, None without a trained model. `faults` are those that the checks
    before have found.
    """

    gray: Gray
    mask: Mask
    voxel_size_nm: VoxelSize
    texture: TextureStatistics | None = None
    faults: tuple[ImageFault, ...] = ()


@dataclass(frozen=True)
class Check:
    """One image check. `find` yields at most one fault of each of `names`, and none where the image is good.

    Each name, with `_` for `-`, is a field of `emseg.config.checks.ImageChecks`: its default policy and description.
    """

    names: tuple[str, ...]
    find: Callable[[Inspection], Iterator[ImageFault]]


def _sections(where: Flags) -> str:
    """`sections 3, 7-9 of 104`, with the largest share of one section where none is wholly at fault."""
    each = where.mean(axis=(1, 2))
    ranges = ", ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in runs(each > 0))
    part = "" if each.max() == 1 else f" ({each.max():.0%} of one)"
    return f"sections {ranges} of {len(where)}{part}"
