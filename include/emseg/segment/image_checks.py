"""Image checks: what is wrong with the grayscale of a subvolume, found before any step sees it.

Sections (Z) are compared with the sections around them, tiles of 16 voxels with the whole subvolume. All limits are
ratios to what is usual in the same subvolume, so they hold for any tissue; clean volumes lie below half of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from emseg.config.checks import ImageChecks, Policy
from emseg.segment.protocol import Gray, Mask
from emseg.segment.texture import TextureStatistics

Flags = npt.NDArray[np.bool_]
Figures = npt.NDArray[np.float64]

TILE_VOX = 16
_LEAST_SECTIONS = 7
"""Below this many sections there is no telling which one is unusual."""
_WINDOW = 9
_BLANK_STD = 1.5
_SATURATED_SHARE = 0.5
_DUPLICATE_RATIO = 0.3
_CONTRAST_MEAN = 0.45
_CONTRAST_STD = 0.25
_NOISE_RATIO = 1.6
_CHANGE_RATIO = 1.5
_LEAST_SHIFT_VOX = 3.0
_LARGEST_SHIFT = 0.25
"""Of the section's side: a longer move is no shift, but something else that differs."""
_FOREIGN_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class ImageFinding:
    """One kind of fault: where it is (True in `where`, sections Z or voxels ZYX; None: all over), and in words."""

    name: str
    text: str
    where: Flags | None


@dataclass(frozen=True, eq=False)
class CheckedImage:
    """What the steps get: filled grayscale, the voxels that may be segmented, and what was found and done."""

    gray: Gray
    mask: Mask
    quarantined: bool
    findings: dict[str, str]


def checked_image(gray: Gray, mask: Mask, checks: ImageChecks, texture: TextureStatistics | None) -> CheckedImage:
    """Look at `gray` (uint8 ZYX) and act by the policies; `mask` is where segmentation is wanted.

    `texture` is that of the training data; without it nothing is foreign.
    """
    found = list(find(gray, mask))
    quarantined, told = False, {}
    sections_to_fill = np.zeros(gray.shape[0], bool)
    mask = mask.copy()
    for finding in found:
        policy = checks.policy(finding.name)
        fills = policy is Policy.FILL and finding.where is not None and finding.where.ndim == 1
        short = _short_runs(finding.where, checks.fill_sections) if fills and finding.where is not None else None
        if short is not None:
            sections_to_fill |= short
        if finding.where is not None and policy in (Policy.FILL, Policy.MASK):
            masked = finding.where & ~short if short is not None else finding.where
            mask[masked] = False
        quarantined |= policy is Policy.QUARANTINE
        told[finding.name] = f"{finding.text}; {_done(policy, short, finding)}"
    gray = filled(gray, sections_to_fill)
    if texture is not None and mask.any():
        # Last, on what is left: a place that is known to be damaged is not foreign tissue besides.
        for finding in _foreign(gray, mask, texture):
            policy = checks.policy(finding.name)
            quarantined |= policy is Policy.QUARANTINE
            mask &= policy is not Policy.MASK
            told[finding.name] = f"{finding.text}; {_done(policy, None, finding)}"
    return CheckedImage(gray, mask, quarantined, told)


def find(gray: Gray, mask: Mask) -> Iterator[ImageFinding]:
    """Every finding about sections and regions, at most one of a name."""
    if not mask.any():
        return
    missing = np.zeros(gray.shape[0], bool)
    if gray.shape[0] >= _LEAST_SECTIONS:
        sections = _sections(gray)
        missing = _short_runs(sections.std < _BLANK_STD, TILE_VOX - 1)
        yield from _section_findings(gray, sections, missing)
    # A missing section is told once: the tiles are about the others.
    tiles = _tiles(gray, ~missing)
    flat = _voxels_of(tiles.std < _BLANK_STD, gray.shape)
    dark = _voxels_of(tiles.dark > _SATURATED_SHARE, gray.shape) & (gray == 0)
    bright = _voxels_of((tiles.bright > _SATURATED_SHARE) & (tiles.std >= _BLANK_STD), gray.shape)
    for where in (flat, dark, bright):
        where[missing] = False
    yield from _region("blank", flat | dark, "without signal")
    yield from _region("saturated", bright, "saturated")


@dataclass(frozen=True, eq=False)
class _Sections:
    mean: Figures
    std: Figures
    noise: Figures
    change: Figures
    """Mean absolute difference to the section before, gray levels; that of the first is that of the second."""


@dataclass(frozen=True, eq=False)
class _Tiles:
    std: Figures
    dark: Figures
    bright: Figures
    """Shares of voxels at 0 and at 255."""


def _section_findings(gray: Gray, sections: _Sections, missing: Flags) -> Iterator[ImageFinding]:
    good = sections.std >= _BLANK_STD
    if good.sum() < _LEAST_SECTIONS:
        return
    yield from _of_sections("missing-section", missing, "without signal")
    usual_std = _usual(sections.std, good)
    level = np.abs(sections.mean - _usual(sections.mean, good)) / usual_std
    contrast = np.abs(sections.std / usual_std - 1)
    noise = sections.noise / _usual(sections.noise, good)
    noisy = good & (noise > _NOISE_RATIO)
    yield from _of_sections("noise-burst", noisy, f"up to {noise.max():.1f} times the usual noise")
    jumps = good & ~noisy & ((level > _CONTRAST_MEAN) | (contrast > _CONTRAST_STD))
    yield from _of_sections("contrast-jump", jumps, f"brightness off by up to {level[good].max():.1f} deviations")
    usual_change = float(np.median(sections.change[good]))
    repeated = good & (sections.change < _DUPLICATE_RATIO * usual_change)
    repeated[0] = False
    yield from _of_sections("duplicated-section", repeated, "the same as the section before")
    suspect = good & ~noisy & ~jumps & (sections.change > _CHANGE_RATIO * usual_change)
    yield from _shifted(gray, suspect, good & ~noisy & ~jumps)


def _shifted(gray: Gray, suspect: Flags, good: Flags) -> Iterator[ImageFinding]:
    """Sections that differ much from the one before, and fit it when moved, up to the one that fits again.

    Where none does, the volume goes on in the new place: only the first section of it is told.
    """
    shifted, largest = np.zeros(len(suspect), bool), 0.0
    reference: int | None = None
    for z in range(1, len(suspect)):
        if reference is None and suspect[z] and good[z - 1]:
            shift = _shift(gray[z - 1], gray[z])
            if _LEAST_SHIFT_VOX <= shift <= _LARGEST_SHIFT * min(gray.shape[1:]):
                reference, largest = z - 1, max(largest, shift)
                shifted[z] = True
        elif reference is not None:
            back = suspect[z] and _shift(gray[reference], gray[z]) < _LEAST_SHIFT_VOX
            shifted[z] = not back
            reference = None if back else reference
    if reference is not None:
        shifted[reference + 2 :] = False
    yield from _of_sections("shifted-section", shifted, f"moved by up to {largest:.0f} voxels in the plane")


def _shift(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Length in voxels of the move that fits two sections to each other."""
    move, _, _ = phase_cross_correlation(first.astype(np.float32), second.astype(np.float32), normalization=None)
    return float(np.hypot(*move))


def _foreign(gray: Gray, mask: Mask, texture: TextureStatistics) -> Iterator[ImageFinding]:
    distance = texture.distances(gray, mask)
    share = float((distance > texture.limit).mean()) if distance.size else 0.0
    if share > _FOREIGN_SHARE:
        worst = float(distance.max() / texture.limit)
        yield ImageFinding(
            "foreign-texture", f"{share:.0%} of it unlike the training data (up to {worst:.1f} times the limit)", None
        )


def _region(name: str, where: Flags, what: str) -> Iterator[ImageFinding]:
    if where.any():
        yield ImageFinding(name, f"{where.mean():.1%} of the voxels {what}", where)


def _voxels_of(tiles: Flags, shape: tuple[int, ...]) -> Flags:
    """The voxels of marked tiles."""
    voxels = tiles.repeat(TILE_VOX, 0).repeat(TILE_VOX, 1).repeat(TILE_VOX, 2)
    return np.ascontiguousarray(voxels[: shape[0], : shape[1], : shape[2]])


def _of_sections(name: str, where: Flags, what: str) -> Iterator[ImageFinding]:
    if where.any():
        yield ImageFinding(name, f"sections {_ranges(np.flatnonzero(where))} of {len(where)} {what}", where)


def filled(gray: Gray, sections: Flags) -> Gray:
    """`gray` with the marked sections interpolated between the nearest others; at an end the nearest is repeated.

    Worked example: sections of gray 10, x, x, 40 become 10, 20, 30, 40.
    """
    good = np.flatnonzero(~sections)
    if not sections.any() or len(good) == 0:
        return gray
    out = gray.copy()
    for z in np.flatnonzero(sections):
        after = int(np.searchsorted(good, z))
        low, high = good[max(after - 1, 0)], good[min(after, len(good) - 1)]
        share = 0.0 if low == high else (z - low) / (high - low)
        mixed = gray[low].astype(np.float32) * (1 - share) + gray[high].astype(np.float32) * share
        out[z] = np.rint(mixed).astype(np.uint8)
    return out


def _usual(values: Figures, good: Flags) -> Figures:
    """Median over the nearest sections with signal."""
    kept = np.interp(np.arange(len(values)), np.flatnonzero(good), values[good])
    usual: Figures = ndimage.median_filter(kept, size=_WINDOW, mode="nearest")
    return np.maximum(usual, 1e-6)


def _runs(where: Flags) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _short_runs(where: Flags, longest: int) -> Flags:
    out = np.zeros_like(where)
    for start, stop in _runs(where):
        out[start:stop] = stop - start <= longest
    return out


def _ranges(numbers: npt.NDArray[np.int64]) -> str:
    where = np.zeros(int(numbers.max()) + 1, bool)
    where[numbers] = True
    return ", ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in _runs(where))


def _done(policy: Policy, short: Flags | None, finding: ImageFinding) -> str:
    if policy is Policy.FILL:
        everything = short is not None and finding.where is not None and np.array_equal(short, finding.where)
        return "filled" if everything else "masked where it is too long to be filled"
    return {Policy.MASK: "masked", Policy.QUARANTINE: "quarantined"}.get(policy, "nothing done")


def _sections(gray: Gray) -> _Sections:
    sums = _section_sums(gray)
    area = gray.shape[1] * gray.shape[2]
    inner = max(1, (gray.shape[1] - 2) * (gray.shape[2] - 2))
    mean = sums[:, 0] / area
    change = sums[:, 3] / area
    change[0] = change[1]
    return _Sections(mean, np.sqrt(np.maximum(sums[:, 1] / area - mean**2, 0)), np.sqrt(sums[:, 2] / inner), change)


def _tiles(gray: Gray, good: Flags) -> _Tiles:
    """Figures of each tile, over its good sections; one that has none is like any other."""
    counts, total, squares, dark, bright = _tile_sums(gray, good, TILE_VOX)
    some = np.maximum(counts, 1)
    std = np.sqrt(np.maximum(squares / some - (total / some) ** 2, 0))
    return _Tiles(np.where(counts > 0, std, np.inf), dark / some, bright / some)


@njit(cache=True, nogil=True)
def _section_sums(gray):  # type: ignore[no-untyped-def]
    """For each section: sum, squares, squared difference to the mean of four neighbours, change since the last."""
    depth, height, width = gray.shape
    out = np.zeros((depth, 4))
    for z in range(depth):
        total, squares, rough, change = 0.0, 0.0, 0.0, 0.0
        for y in range(height):
            for x in range(width):
                value = np.float64(gray[z, y, x])
                total += value
                squares += value * value
                if z > 0:
                    change += abs(value - gray[z - 1, y, x])
                if 0 < y < height - 1 and 0 < x < width - 1:
                    around = np.float64(gray[z, y - 1, x]) + gray[z, y + 1, x] + gray[z, y, x - 1] + gray[z, y, x + 1]
                    rough += (value - around / 4) ** 2
        out[z, 0], out[z, 1], out[z, 2], out[z, 3] = total, squares, rough, change
    return out


@njit(cache=True, nogil=True)
def _tile_sums(gray, good, side):  # type: ignore[no-untyped-def]
    """For each tile: voxels, sum, squares, voxels at 0, voxels at 255."""
    depth, height, width = gray.shape
    shape = ((depth + side - 1) // side, (height + side - 1) // side, (width + side - 1) // side)
    counts, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    dark, bright = np.zeros(shape), np.zeros(shape)
    for z in range(depth):
        if not good[z]:
            continue
        for y in range(height):
            for x in range(width):
                a, b, c = z // side, y // side, x // side
                value = np.float64(gray[z, y, x])
                counts[a, b, c] += 1
                total[a, b, c] += value
                squares[a, b, c] += value * value
                dark[a, b, c] += value == 0
                bright[a, b, c] += value == 255
    return counts, total, squares, dark, bright
