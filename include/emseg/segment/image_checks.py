"""Image checks: what is wrong with the grayscale of a subvolume, found and treated before any step sees it.

Everything is decided place by place (tiles of 160 nm in a section, blocks of 80 nm), never for a subvolume as a whole,
so that neighbours that see the same damage in their halos treat it alike. They look at more than the padded box:
a strip of damage that is too thin to recognise would otherwise join, in a neighbour's halo, what the damage should
not touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from emseg.config.checks import ImageChecks, Policy
from emseg.geometry import Box
from emseg.segment.image_sums import Edges, blocks, section_tiles, spread, tile_edges
from emseg.segment.model import VoxelSize
from emseg.segment.protocol import Gray, Mask, Setting
from emseg.segment.section_faults import FLAT, runs, section_faults, short_runs
from emseg.segment.texture import TextureStatistics, tile_vox

Flags = npt.NDArray[np.bool_]
Place = tuple[slice, slice, slice]

EVERYWHERE: Place = (slice(None), slice(None), slice(None))

_TILE_NM = 160.0
_BLOCK_NM = 80.0
_LEAST_SHIFT_NM = 30.0
_LEAST_SECTIONS = 5
"""Below this many sections there is no telling which one is unusual."""
_SATURATED_SHARE = 0.5
_EDGE_NM = 40.0
"""How far damage of sections may reach beyond the tiles that it was found in."""
_LEVEL_WIDTH = 2
"""Gray levels by which voxels beside a blank block may differ from it and still belong to it."""


@dataclass(frozen=True, eq=False)
class ImageFinding:
    """One kind of fault: where it is (True in `where`, voxels ZYX), and in words what is wrong there."""

    name: str
    what: str
    where: Flags
    of_sections: bool

    def text(self, inside: Place) -> str:
        """The fault in words, with its place in a part of the image: `sections 3-4 of 104 without signal`."""
        where = self.where[inside]
        return f"{_sections(where) if self.of_sections else f'{where.mean():.1%} of the voxels'} {self.what}"


@dataclass(frozen=True, eq=False)
class CheckedImage:
    """What the steps get: filled grayscale, the voxels that may be segmented, and what was found and done."""

    gray: Gray
    mask: Mask
    quarantined: bool
    findings: dict[str, str]


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
    inside: Place = EVERYWHERE,
) -> CheckedImage:
    """Look at `gray` (uint8 ZYX), act by the policies, and give the part `inside`; faults elsewhere are not told.

    `mask` is where segmentation is wanted. `texture` is that of the training data; without it nothing is foreign.
    """
    image = CheckedImage(gray, mask, quarantined=False, findings={})
    if mask[inside].any():
        found = list(damage(gray, voxel_size_nm))
        damaged = np.zeros(gray.shape, bool)
        for finding in found:
            damaged |= finding.where
        for finding in found:
            image = _treated(image, finding, damaged, checks, inside)
        if texture is not None and image.mask.any():
            # Last, and on what is left: damage looks foreign too.
            for finding in _foreign(image.gray, image.mask, texture):
                image = _treated(image, finding, damaged, checks, inside)
    return replace(image, gray=np.ascontiguousarray(image.gray[inside]), mask=image.mask[inside])


def damage(gray: Gray, voxel_size_nm: VoxelSize) -> Iterator[ImageFinding]:
    """Every finding but foreign texture, at most one of a name."""
    in_voxels = Setting(voxel_size_nm).in_voxels
    regions = list(_regions(gray, in_voxels(_BLOCK_NM)))
    yield from regions
    if gray.shape[0] < _LEAST_SECTIONS:
        return
    y, x = (tile_edges(n, max(8, round(s))) for n, s in zip(gray.shape[1:], in_voxels(_TILE_NM)[1:], strict=True))
    tiles = section_tiles(gray, y, x)
    outside = np.zeros(tiles.voxels.shape, bool)
    for region in regions:
        outside |= np.logical_or.reduceat(np.logical_or.reduceat(region.where, y[:-1], axis=1), x[:-1], axis=2)
    for fault in section_faults(gray, tiles, (y, x), outside, max(2.0, min(in_voxels(_LEAST_SHIFT_NM)[1:]))):
        where = _grown(spread(fault.where, (y, x)), (0.0, *in_voxels(_EDGE_NM)[1:]))
        yield ImageFinding(fault.name, fault.text, where, of_sections=True)


def _regions(gray: Gray, side: tuple[float, float, float]) -> Iterator[ImageFinding]:
    edges = tuple(tile_edges(n, max(2, round(s))) for n, s in zip(gray.shape, side, strict=True))
    found = blocks(gray, (edges[0], edges[1], edges[2]))
    blank = (found.deviation < FLAT) & (found.mean < 255 - FLAT)
    bright = (found.bright > _SATURATED_SHARE) & ~blank
    for name, which, level, what in (
        ("blank", blank, found.mean, "without signal"),
        ("saturated", bright, np.full_like(found.mean, 255), "saturated"),
    ):
        if which.any():
            where = _with_edge(gray, which, level, edges)
            yield ImageFinding(name, what, where, of_sections=False)


def _with_edge(gray: Gray, which: Flags, level: npt.NDArray[np.float64], edges: tuple[Edges, ...]) -> Flags:
    """Voxels of the blocks, and those of the blocks beside them that have the same gray level."""
    levels = ndimage.maximum_filter(np.where(which, level, -1.0).astype(np.float32), size=3)
    near = spread(levels, edges)
    where: Flags = spread(which, edges) | ((near >= 0) & (np.abs(gray - near) <= _LEVEL_WIDTH))
    return where


def _foreign(gray: Gray, mask: Mask, texture: TextureStatistics) -> Iterator[ImageFinding]:
    where = texture.foreign(gray, mask) & mask
    if where.any():
        yield ImageFinding("foreign-texture", "unlike the training data", where, of_sections=False)


def _grown(where: Flags, margin: tuple[float, float, float]) -> Flags:
    """The voxels, and those no farther than a margin in voxels along each axis."""
    if not where.any():
        return where
    grown: Flags = ndimage.maximum_filter(where, size=[2 * round(length) + 1 for length in margin])
    return grown


def _treated(
    image: CheckedImage, finding: ImageFinding, damaged: Flags, checks: ImageChecks, inside: Place
) -> CheckedImage:
    policy, where = checks.policy(finding.name), finding.where
    gray, mask, done = image.gray, image.mask, "nothing done"
    if policy is Policy.FILL:
        short = short_runs(where, checks.fill_sections) & finding.of_sections
        gray, mask = filled(gray, short, damaged), mask & ~(where & ~short)
        parts = (("filled", short), ("masked", where & ~short))
        done = ", ".join(word for word, part in parts if part[inside].any())
    elif policy is Policy.MASK:
        mask, done = mask & ~where, "masked"
    elif policy is Policy.QUARANTINE:
        done = "quarantined"
    if not where[inside].any():
        return replace(image, gray=gray, mask=mask)
    quarantined = image.quarantined or policy is Policy.QUARANTINE
    told = {**image.findings, finding.name: f"{finding.text(inside)}; {done}"}
    return CheckedImage(gray, mask, quarantined, told)


def filled(gray: Gray, where: Flags, damaged: Flags) -> Gray:
    """`gray` with the voxels of `where` interpolated along Z between the nearest that are not `damaged`.

    Worked example: a column of gray 10, x, x, 40 becomes 10, 20, 30, 40; at an end the nearest is repeated. A column
    without any good voxel stays.
    """
    if not where.any():
        return gray
    y, x = np.nonzero(where.any(axis=0))
    sections, bad = np.arange(len(gray))[:, None], damaged[:, y, x]
    below = np.maximum.accumulate(np.where(bad, -1, sections), axis=0)
    above = np.minimum.accumulate(np.where(bad, len(gray), sections)[::-1], axis=0)[::-1]
    z, column = np.nonzero(where[:, y, x] & ((below >= 0) | (above < len(gray))))
    low, high, y, x = below[z, column], above[z, column], y[column], x[column]
    low, high = np.where(low < 0, high, low), np.where(high >= len(gray), low, high)
    share = (z - low) / np.maximum(high - low, 1)
    out = gray.copy()
    out[z, y, x] = np.rint(gray[low, y, x] * (1 - share) + gray[high, y, x] * share).astype(np.uint8)
    return out


def _sections(where: Flags) -> str:
    """`sections 3, 7-9 of 104`, with the largest part of one where no section is wholly in it."""
    each = where.mean(axis=(1, 2))
    ranges = ", ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in runs(each > 0))
    part = "" if each.max() == 1 else f" ({each.max():.0%} of one)"
    return f"sections {ranges} of {len(where)}{part}"
