"""Check of sections (Z): which of them are faulty, whole or in part, and what is wrong with each part.

`section_misfits.py` finds the tiles that are unlike the sections around them. Here each connected part of them gets
its name, from its mean, deviation and roughness, and from the shift that fits it to the section before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from emseg.segment.image_checks.fault import ImageFault, Inspection
from emseg.segment.image_checks.runs import Flags, inner_runs
from emseg.segment.image_checks.section_misfits import copies, misfits, noisy_regions, touching
from emseg.segment.image_checks.sums import FLAT, Edges, Figures, SectionTiles, section_tiles, spread, tile_edges
from emseg.segment.protocol import Gray, Setting

SECTION_FAULTS = (
    "missing-section",
    "duplicated-section",
    "contrast-jump",
    "noise-burst",
    "odd-section",
    "shifted-section",
)
"""In the order in which they are yielded."""

_TILE_NM = 160.0
_LEAST_SHIFT_NM = 30.0
_LEAST_SECTIONS = 5
"""With fewer sections nothing shows which one is unusual."""
_EDGE_NM = 40.0
"""How far damage of sections may reach beyond the tiles that it was found in."""
_LONGEST_MISSING = 7
_NOISY, _JUMP_LEVEL, _JUMP_CONTRAST = 0.35, 0.3, 0.2
"""What a bad part must differ by to be called noisy, or of other contrast (logarithms, deviations)."""
_FITS = 0.8
"""A shift explains a part if it leaves less than this share of the difference."""


@dataclass(frozen=True, eq=False)
class SectionFault:
    """A named fault, its tiles (Z, tiles Y, tiles X), and more about it in words."""

    name: str
    where: Flags
    text: str


def faulty_sections(image: Inspection) -> Iterator[ImageFault]:
    """Every fault of `SECTION_FAULTS` that the image has; tiles with a fault that is known are not judged."""
    gray, in_voxels = image.gray, Setting(image.voxel_size_nm).in_voxels
    if gray.shape[0] < _LEAST_SECTIONS:
        return
    y, x = (tile_edges(n, max(8, round(s))) for n, s in zip(gray.shape[1:], in_voxels(_TILE_NM)[1:], strict=True))
    tiles = section_tiles(gray, y, x)
    outside = np.zeros(tiles.voxels.shape, bool)
    for fault in image.faults:
        outside |= np.logical_or.reduceat(np.logical_or.reduceat(fault.where, y[:-1], axis=1), x[:-1], axis=2)
    least_shift_vox = max(2.0, min(in_voxels(_LEAST_SHIFT_NM)[1:]))
    for found in section_faults(gray, tiles, (y, x), outside, least_shift_vox):
        where = _grown(spread(found.where, (y, x)), (0.0, *in_voxels(_EDGE_NM)[1:]))
        yield ImageFault(found.name, found.text, where, of_sections=True)


def section_faults(
    gray: Gray, tiles: SectionTiles, edges: tuple[Edges, Edges], outside: Flags, least_shift_vox: float
) -> Iterator[SectionFault]:
    """Every fault of sections, at most one of a name; no tile has two of them.

    `tiles` are those between `edges`; those flagged `outside` hold no tissue and are not judged.
    """
    outside = touching(outside)
    flat = tiles.deviation < FLAT
    missing = inner_runs(flat, _LONGEST_MISSING) & ~outside
    flat |= outside
    bad = misfits(tiles, flat & ~missing)
    copied = copies(tiles) & ~flat & ~touching(missing)
    noisy_region = noisy_regions(tiles, flat)
    missing |= bad & touching(missing)
    if missing.any():
        yield SectionFault("missing-section", missing, "without signal")
    if copied.any():
        yield SectionFault("duplicated-section", copied, "the same as the section before")
    parts = _explained(gray, tiles, bad & ~missing & ~copied & ~flat, edges, least_shift_vox)
    if noisy_region.any():
        known = parts.pop("noise-burst", None)
        where = noisy_region if known is None else noisy_region | known.where
        parts["noise-burst"] = SectionFault("noise-burst", where, "several times the usual noise")
    yield from (parts[name] for name in sorted(parts))


def _grown(where: Flags, margin: tuple[float, float, float]) -> Flags:
    """The voxels, and those no farther than a margin in voxels along each axis."""
    if not where.any():
        return where
    grown: Flags = ndimage.maximum_filter(where, size=[2 * round(length) + 1 for length in margin])
    return grown


def _explained(
    gray: Gray, tiles: SectionTiles, bad: Flags, edges: tuple[Edges, Edges], least_shift_vox: float
) -> dict[str, SectionFault]:
    """The connected bad parts of all sections, those of one name together."""
    parts, count = ndimage.label(bad, np.pad(np.ones((1, 3, 3), bool), ((1, 1), (0, 0), (0, 0))))
    named: dict[str, SectionFault] = {}
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        part = parts[box[0]][0] == number
        name, text = _name(gray, tiles, bad, box[0].start, part, edges, least_shift_vox)
        old = named.get(name)
        where = np.zeros_like(bad) if old is None else old.where
        where[box[0].start] |= part
        named[name] = SectionFault(name, where, text if old is None else old.text)
    return named if count else {}


def _name(
    gray: Gray,
    tiles: SectionTiles,
    bad: Flags,
    z: int,
    part: Flags,
    edges: tuple[Edges, Edges],
    least_shift_vox: float,
) -> tuple[str, str]:
    """Name of a bad part of section `z`, and what is wrong with it, in words."""
    good = np.flatnonzero(~(bad & part).any(axis=(1, 2)))
    if len(good) == 0:
        return "odd-section", "unlike the sections beside them"
    after = int(np.searchsorted(good, z))
    low, high = int(good[max(after - 1, 0)]), int(good[min(after, len(good) - 1)])
    own, before, behind = (_figures(tiles, each, part) for each in (z, low, high))
    level, contrast, roughness = own - (before + behind) / 2
    level /= np.exp((before[1] + behind[1]) / 2)
    if roughness > _NOISY and roughness - contrast > _NOISY / 2:
        return "noise-burst", f"{np.exp(roughness):.1f} times the usual noise"
    if abs(level) > _JUMP_LEVEL or abs(contrast) > _JUMP_CONTRAST:
        return "contrast-jump", f"brightness off by {level:+.1f} deviations, contrast {np.exp(contrast):.2f} times"
    shift = _shift(gray[low], gray[z], part, edges)
    if shift >= least_shift_vox:
        return "shifted-section", f"moved by {shift:.0f} voxels in the plane"
    return "odd-section", "unlike the sections beside them"


def _figures(tiles: SectionTiles, z: int, part: Flags) -> Figures:
    """Mean, and logarithms of deviation and roughness, of a part of a section."""
    voxels = tiles.voxels[z][part].sum()
    mean = tiles.total[z][part].sum() / voxels
    deviation = np.sqrt(max(tiles.squares[z][part].sum() / voxels - mean**2, 0.01))
    return np.array([mean, np.log(deviation), np.log(max(tiles.rough[z][part].sum() / voxels, 0.01)) / 2])


def _shift(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], part: Flags, edges: tuple[Edges, Edges]
) -> float:
    """Voxels of the shift that fits a part of a section to the section before; 0 where no shift does."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    window = tuple(slice(int(e[n[0]]), int(e[n[-1] + 1])) for e, n in zip(edges, (rows, columns), strict=True))
    a, b = first[window].astype(np.float32), second[window].astype(np.float32)
    (dy, dx), _, _ = phase_cross_correlation(a - a.mean(), b - b.mean(), normalization=None)
    y, x = int(dy), int(dx)
    if max(abs(y), abs(x)) * 3 > min(a.shape):
        return 0.0
    height, width = a.shape
    fixed = a[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
    moved = b[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
    fits = np.abs(fixed - moved).mean() < _FITS * np.abs(a - b).mean()
    return float(np.hypot(y, x)) if fits else 0.0
