"""The image checks: which there are, and how a subvolume is checked and treated before any step sees it.

Every check decides tile by tile (160 nm in a section) or block by block (80 nm), never for a subvolume as a whole. So
two neighbours that see the same damage in their halos treat it alike. They also look at more than the padded box: a
strip of damage at its rim may be too thin to recognise, and would then join, in one neighbour's halo, what the damage
keeps apart in the other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from emseg.config.checks import ImageChecks
from emseg.geometry import Box, VoxelSize
from emseg.segment.image_checks.fault import EVERYWHERE, Check, ImageFault, Inspection, Slices
from emseg.segment.image_checks.regions import faulty_regions
from emseg.segment.image_checks.runs import Flags
from emseg.segment.image_checks.section_faults import SECTION_FAULTS, faulty_sections
from emseg.segment.image_checks.texture import TextureStatistics, foreign_texture, tile_vox
from emseg.segment.image_checks.treatment import CheckedImage, treated
from emseg.segment.protocol import Gray, Mask

DAMAGE_CHECKS = (
    Check(("blank", "saturated"), faulty_regions),
    Check(SECTION_FAULTS, faulty_sections),
)
"""Checks of the image as it was read, in this order; none of their faults is ever used to fill another one."""

TISSUE_CHECKS = (Check(("foreign-texture",), foreign_texture),)
"""Checks of what remains after the damage was treated, because damage looks foreign too."""


def context(padded: Box, bounds: Box, voxel_size_nm: VoxelSize) -> Box:
    """What the checks of a padded box look at: a tile more on each side, to the faces of tiles, inside `bounds`.

    The faces are those of a lattice from voxel 0, so that two neighbours judge the same tiles.
    """
    tile = tile_vox(voxel_size_nm)
    return padded.grown(tile).covering(tile).clipped(bounds)


def checked_image(
    gray: Gray,
    mask: Mask,
    voxel_size_nm: VoxelSize,
    checks: ImageChecks,
    texture: TextureStatistics | None,
    inside: Slices = EVERYWHERE,
) -> CheckedImage:
    """Check `gray` (uint8 ZYX), act by the policies, and return the part `inside`; faults outside it are not reported.

    `mask` is where segmentation is wanted. `texture` is that of the training data; without it nothing is foreign.
    """
    image = CheckedImage(gray, mask, quarantined=False, findings={})
    if mask[inside].any():
        faults = _damage(Inspection(gray, mask, voxel_size_nm, texture))
        damaged = _union(faults, gray.shape)
        for fault in faults:
            image = treated(image, fault, damaged, checks, inside)
        for check in TISSUE_CHECKS:
            for fault in check.find(Inspection(image.gray, image.mask, voxel_size_nm, texture, faults)):
                image = treated(image, fault, damaged, checks, inside)
    return replace(image, gray=np.ascontiguousarray(image.gray[inside]), mask=image.mask[inside])


def _damage(image: Inspection) -> tuple[ImageFault, ...]:
    """The faults that all damage checks find, at most one of a name."""
    for check in DAMAGE_CHECKS:
        image = replace(image, faults=(*image.faults, *check.find(image)))
    return image.faults


def _union(faults: Iterable[ImageFault], shape: tuple[int, ...]) -> Flags:
    damaged = np.zeros(shape, bool)
    for fault in faults:
        damaged |= fault.where
    return damaged
