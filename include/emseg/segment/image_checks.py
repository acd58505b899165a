"""Image checks: what is wrong with the grayscale of a subvolume, found before any step sees it.

Each place of a section is compared with the same place in the sections around it, in windows of 40 voxels; regions
without signal are found in tiles. All limits are ratios to what is usual in the same subvolume, so they hold for any
tissue, and clean tissue keeps well below them.
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
CELL_VOX = 8
"""Sections are measured in squares of this side, and judged in windows of `_WINDOW_CELLS` squares."""
_WINDOW_CELLS = 5
_LEAST_SECTIONS = 7
"""Below this many sections there is no telling which one is unusual."""
_SECTIONS_AROUND = 9
_BLANK_STD = 1.5
_MOST_MISSING = 8
"""Sections in a row; more are a blank region."""
_WHITE = 250
_SATURATED_SHARE = 0.25
_DUPLICATE_RATIO = 0.35
_CONTRAST_MEAN = 0.6
_CONTRAST_STD = 0.4
_NOISE_RATIO = 1.8
_SUDDEN_RATIO = 1.5
_CHANGE_RATIO = 1.5
_STILL_CHANGED = 1.15
_CORE_OF_CHANGE = 0.6
"""For places beside one that is over the ratio above."""
_LEAST_SHIFT_VOX = 3.0
_LONGEST_SHIFT = 8
"""Sections after which a shift that has not come back is where the volume goes on."""
_LARGEST_SHIFT = 0.25
"""Of the place's side: a longer move is no shift, but something else that differs."""


@dataclass(frozen=True, eq=False)
class ImageFinding:
    """One kind of fault: where it is (voxels ZYX), in words, and whether it is about sections, which can be filled."""

    name: str
    text: str
    where: Flags
    of_sections: bool


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
    quarantined, told = False, {}
    to_fill = np.zeros(gray.shape, bool)
    mask = mask.copy()
    for finding in find(gray, mask):
        policy = checks.policy(finding.name)
        done = policy.value
        if policy is Policy.FILL:
            short = _runs_up_to(finding.where, checks.fill_sections) if finding.of_sections else np.zeros_like(to_fill)
            to_fill |= short
            mask &= short | ~finding.where
            done = "filled" if np.array_equal(short, finding.where) else "masked where it is too long to be filled"
        elif policy is Policy.MASK:
            mask &= ~finding.where
            done = "masked"
        quarantined |= policy is Policy.QUARANTINE
        told[finding.name] = f"{finding.text}; {done}"
    gray = filled(gray, to_fill)
    if texture is not None and mask.any():
        # Last, on what is left: a place that is known to be damaged is not foreign tissue besides.
        foreign = texture.foreign(gray, mask)
        if foreign.any():
            policy = checks.foreign_texture
            quarantined |= policy is Policy.QUARANTINE
            mask &= ~foreign if policy in (Policy.MASK, Policy.FILL) else True
            done = "masked" if policy is Policy.FILL else policy.value
            told["foreign-texture"] = f"{foreign.mean():.1%} of the voxels unlike the training data; {done}"
    return CheckedImage(gray, mask, quarantined, told)


def find(gray: Gray, mask: Mask) -> Iterator[ImageFinding]:
    """Every finding about sections and regions, at most one of a name."""
    if not mask.any():
        return
    sections = gray.shape[0] >= _LEAST_SECTIONS and min(gray.shape[1:]) >= CELL_VOX * _WINDOW_CELLS
    sums = _cell_sums(gray, CELL_VOX) if sections else None
    missing = np.zeros(gray.shape, bool)
    if sums is not None:
        # No window is needed to see that there is nothing: clean tissue has three times this deviation in any cell.
        blank = (_deviation(sums[0], sums[1], sums[2]) < _BLANK_STD) & (sums[1] < _WHITE * sums[0])
        short = ndimage.maximum_filter(_runs_up_to(blank, _MOST_MISSING), size=(1, 3, 3), mode="constant")
        for finding in _sections("missing-section", short, gray.shape, "without signal"):
            missing = finding.where
            yield finding
    damaged = missing.copy()
    for finding in _regions(gray, missing):
        damaged |= finding.where
        yield finding
    if sums is not None:
        yield from _in_sections(gray, _windows(sums), damaged)


@dataclass(frozen=True, eq=False)
class _Windows:
    """Figures of the window around each cell: (sections, cells of Y, cells of X)."""

    mean: Figures
    std: Figures
    noise: Figures
    """Deviation from the mean of the four neighbours, gray levels."""
    change: Figures
    """Mean absolute difference to the section before, gray levels; that of the first is that of the second."""


@dataclass(frozen=True, eq=False)
class _Tiles:
    std: Figures
    dark: Figures
    bright: Figures
    """Shares of voxels at 0 and at 255."""


def _regions(gray: Gray, missing: Flags) -> Iterator[ImageFinding]:
    """Tiles without signal, or at the ends of the gray scale; missing sections are told already."""
    tiles = _tiles(gray, ~missing)
    flat = _voxels_of(tiles.std < _BLANK_STD, gray.shape)
    dark = _voxels_of(tiles.dark > _SATURATED_SHARE, gray.shape) & (gray == 0)
    bright = _voxels_of((tiles.bright > _SATURATED_SHARE) & (tiles.std >= _BLANK_STD), gray.shape)
    for name, marked, what in (("blank", flat | dark, "without signal"), ("saturated", bright, "saturated")):
        where = marked & ~missing
        if where.any():
            yield ImageFinding(name, f"{where.mean():.1%} of the voxels {what}", where, of_sections=False)


def _in_sections(gray: Gray, windows: _Windows, damaged: Flags) -> Iterator[ImageFinding]:
    """Faults of sections, each place told once: the first name that fits takes it from the others.

    Windows that hold a part of a `damaged` place say nothing about it.
    """
    without = _cells_of(damaged)
    told = _touched(without)
    usual = {name: _usual(getattr(windows, name), without) for name in ("mean", "std", "noise", "change")}
    noise = windows.noise / usual["noise"]
    noisy = _whole((noise > _NOISE_RATIO) & ~told)
    what = f"up to {_largest(noise, noisy):.1f} times the noise"
    yield from _sections("noise-burst", _grown(noisy), gray.shape, what)
    told |= _touched(noisy)
    # A narrow window has little contrast of its own, so the whole subvolume's is the measure.
    level = np.abs(windows.mean - usual["mean"]) / np.maximum(usual["std"], np.median(windows.std))
    change = windows.change / usual["change"]
    jumps = (level > _CONTRAST_MEAN) | (np.abs(windows.std / usual["std"] - 1) > _CONTRAST_STD)
    # Tissue changes from section to section by degrees; a fault does so at once.
    jumps = _whole(jumps & _sudden(change) & ~told)
    what = f"of other brightness or contrast (by up to {_largest(level, jumps):.1f} deviations)"
    yield from _sections("contrast-jump", _grown(jumps), gray.shape, what)
    told |= _touched(jumps)
    told[1:] |= told[:-1]  # the section after a bad one differs from it, and is good
    repeated = _whole((change < _DUPLICATE_RATIO) & ~told)
    repeated[0] = False
    yield from _sections("duplicated-section", _grown(repeated), gray.shape, "the same as the section before")
    yield from _shifted(gray, change, ~told)


def _sudden(change: Figures) -> Flags:
    """Sections that differ from the one before or after by more than is usual, and what lies between two of them."""
    before = change > _SUDDEN_RATIO
    after = np.zeros_like(before)
    after[:-1] = before[1:]
    closed: Flags = ndimage.binary_closing(before | after, np.ones((3, 1, 1), bool))
    return closed


def _shifted(gray: Gray, change: Figures, candidates: Flags) -> Iterator[ImageFinding]:
    """Places that differ much from the section before, and fit it when moved, up to the section that fits again.

    Where none does, the volume goes on in the new place: only the first section of it is told.
    """
    seeds = candidates & (change > _CHANGE_RATIO)
    in_plane = np.ones((1, 3, 3), bool)
    suspect = ndimage.binary_propagation(seeds, in_plane, mask=candidates & (change > _STILL_CHANGED))
    shifted, largest = np.zeros_like(suspect), 0.0
    z = 1
    while z < len(suspect):
        # At the rim of what has moved, what has not weighs against the move.
        place = _place(suspect[z] & (change[z] > _CORE_OF_CHANGE * change[z].max()))
        shift = 0.0 if place is None else _shift(gray[z - 1], gray[z], place)
        if place is None or shift == 0.0:
            z += 1
            continue
        largest = max(largest, shift)
        # Parts that look alike in both places do not change much, and have moved with the rest all the same.
        whole = (slice(0, gray.shape[1]), slice(0, gray.shape[2]))
        if abs(_shift(gray[z - 1], gray[z], whole) - shift) <= 1:
            suspect[z] = True
        last = min(z + 1 + _LONGEST_SHIFT, len(suspect))
        back = next((k for k in range(z + 1, last) if (suspect[k] & suspect[z]).any()), z + 1)
        shifted[z:back] |= suspect[z]
        z = back + 1
    yield from _sections("shifted-section", _grown(shifted), gray.shape, f"moved by up to {largest:.0f} voxels")


def _place(cells: Flags) -> tuple[slice, slice] | None:
    """Voxels of the rectangle around marked cells; None where there are too few for a window."""
    if cells.sum() < 4:
        return None
    y, x = np.nonzero(cells)
    return slice(y.min() * CELL_VOX, (y.max() + 1) * CELL_VOX), slice(x.min() * CELL_VOX, (x.max() + 1) * CELL_VOX)


def _shift(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], place: tuple[slice, slice]) -> float:
    """Length in voxels of the move that fits two sections to each other in a place; 0 where none is plausible."""
    a, b = first[place].astype(np.float32), second[place].astype(np.float32)
    move, _, _ = phase_cross_correlation(a - a.mean(), b - b.mean(), normalization=None)
    length = float(np.hypot(*move))
    return length if _LEAST_SHIFT_VOX <= length <= _LARGEST_SHIFT * min(a.shape) else 0.0


def _sections(name: str, cells: Flags, shape: tuple[int, ...], what: str) -> Iterator[ImageFinding]:
    """A finding about marked cells, if there are any."""
    if not cells.any():
        return
    where = cells.repeat(CELL_VOX, 1).repeat(CELL_VOX, 2)[:, : shape[1], : shape[2]]
    # The last cells stand for the rest of a section that is no multiple of a cell.
    where = np.pad(where, [(0, n - m) for n, m in zip(shape, where.shape, strict=True)], mode="edge")
    sections: Flags = np.asarray(where.any(axis=(1, 2)))
    share = where[sections].mean()
    part = "" if share > 0.95 else f", {share:.0%} of each,"
    yield ImageFinding(name, f"sections {_ranges(sections)} of {len(sections)}{part} {what}", where, of_sections=True)


def filled(gray: Gray, where: Flags) -> Gray:
    """`gray` with the marked voxels interpolated along Z between the nearest unmarked ones of their column.

    At an end the nearest is repeated; a column that is marked all over stays. Worked example: a column of gray
    10, x, x, 40 becomes 10, 20, 30, 40.
    """
    if not where.any():
        return gray
    out = gray.copy()
    _fill_columns(out, where)
    return out


def _whole(cells: Flags) -> Flags:
    """Without the cells at the rim, whose windows are cut; growing gives them back what their neighbours have."""
    inner = np.zeros_like(cells)
    rim = _WINDOW_CELLS // 2
    inner[:, rim:-rim, rim:-rim] = cells[:, rim:-rim, rim:-rim]
    return inner


def _largest(figures: Figures, where: Flags) -> float:
    return float(figures[where].max(initial=0))


def _grown(cells: Flags) -> Flags:
    """Cells of every window that has its middle in `cells`, and the cells beside them: a fault may end inside these."""
    side = _WINDOW_CELLS + 2
    grown: Flags = ndimage.maximum_filter(cells, size=(1, side, side), mode="constant")
    return grown


def _touched(cells: Flags) -> Flags:
    """Windows that hold a voxel of a window that has its middle in `cells`."""
    side = 2 * _WINDOW_CELLS - 1
    touched: Flags = ndimage.maximum_filter(cells, size=(1, side, side), mode="constant")
    return touched


def _cells_of(voxels: Flags) -> Flags:
    """Cells that hold a marked voxel."""
    depth, height, width = (n // side for n, side in zip(voxels.shape, (1, CELL_VOX, CELL_VOX), strict=True))
    whole = voxels[:, : height * CELL_VOX, : width * CELL_VOX]
    return np.asarray(whole.reshape(depth, height, CELL_VOX, width, CELL_VOX).any(axis=(2, 4)))


def _usual(values: Figures, without: Flags) -> Figures:
    """Median over the sections around, at the same place; places without signal count as the median of all."""
    kept = np.where(without, np.median(values[~without]) if not without.all() else 1.0, values)
    usual: Figures = ndimage.median_filter(kept, size=(_SECTIONS_AROUND, 1, 1), mode="nearest")
    return np.maximum(usual, 1e-6)


def _runs_up_to(where: Flags, longest: int) -> Flags:
    """Marked places that belong to a run along Z of at most `longest` sections."""
    out = where.copy()
    _drop_long_runs(out, longest)
    return out


def _ranges(sections: Flags) -> str:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sections, [False]]).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return ", ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in runs)


def _voxels_of(tiles: Flags, shape: tuple[int, ...]) -> Flags:
    """The voxels of marked tiles."""
    voxels = tiles.repeat(TILE_VOX, 0).repeat(TILE_VOX, 1).repeat(TILE_VOX, 2)
    return np.ascontiguousarray(voxels[: shape[0], : shape[1], : shape[2]])


def _windows(sums: Figures) -> _Windows:
    size = (1, _WINDOW_CELLS, _WINDOW_CELLS)
    count, total, squares, inner, rough, change = (ndimage.uniform_filter(each, size, mode="constant") for each in sums)
    changed = change / count
    changed[0] = changed[1]
    noise = np.sqrt(np.maximum(rough, 0) / inner)
    return _Windows(total / count, _deviation(count, total, squares), noise, changed)


def _deviation(count: Figures, total: Figures, squares: Figures) -> Figures:
    return np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))


def _tiles(gray: Gray, good: Flags) -> _Tiles:
    """Figures of each tile, over its good voxels; one that has none is like any other."""
    counts, total, squares, dark, bright = _tile_sums(gray, good, TILE_VOX)
    some = np.maximum(counts, 1)
    std = np.sqrt(np.maximum(squares / some - (total / some) ** 2, 0))
    return _Tiles(np.where(counts > 0, std, np.inf), dark / some, bright / some)


@njit(cache=True, nogil=True)
def _cell_sums(gray, side):  # type: ignore[no-untyped-def]
    """For each cell: voxels, sum, squares; inner voxels, squared difference to four neighbours; change since last."""
    depth, height, width = gray.shape
    out = np.zeros((6, depth, height // side, width // side))
    for z in range(depth):
        for y in range(height // side * side):
            for x in range(width // side * side):
                b, c = y // side, x // side
                value = np.float64(gray[z, y, x])
                out[0, z, b, c] += 1
                out[1, z, b, c] += value
                out[2, z, b, c] += value * value
                if 0 < y < height - 1 and 0 < x < width - 1:
                    around = np.float64(gray[z, y - 1, x]) + gray[z, y + 1, x] + gray[z, y, x - 1] + gray[z, y, x + 1]
                    out[3, z, b, c] += 1
                    out[4, z, b, c] += (value - around / 4) ** 2
                if z > 0:
                    out[5, z, b, c] += abs(value - gray[z - 1, y, x])
    return out


@njit(cache=True, nogil=True)
def _tile_sums(gray, good, side):  # type: ignore[no-untyped-def]
    """For each tile, over its good voxels: voxels, sum, squares, voxels at 0, voxels at 255."""
    depth, height, width = gray.shape
    shape = ((depth + side - 1) // side, (height + side - 1) // side, (width + side - 1) // side)
    counts, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    dark, bright = np.zeros(shape), np.zeros(shape)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if not good[z, y, x]:
                    continue
                a, b, c = z // side, y // side, x // side
                value = np.float64(gray[z, y, x])
                counts[a, b, c] += 1
                total[a, b, c] += value
                squares[a, b, c] += value * value
                dark[a, b, c] += value == 0
                bright[a, b, c] += value == 255
    return counts, total, squares, dark, bright


@njit(cache=True, nogil=True)
def _drop_long_runs(where, longest):  # type: ignore[no-untyped-def]
    depth, height, width = where.shape
    for y in range(height):
        for x in range(width):
            start = 0
            while start < depth:
                if not where[start, y, x]:
                    start += 1
                    continue
                stop = start
                while stop < depth and where[stop, y, x]:
                    stop += 1
                if stop - start > longest:
                    for z in range(start, stop):
                        where[z, y, x] = False
                start = stop


@njit(cache=True, nogil=True)
def _fill_columns(gray, where):  # type: ignore[no-untyped-def]
    depth, height, width = gray.shape
    for y in range(height):
        for x in range(width):
            last = -1
            for z in range(depth + 1):
                if z < depth and where[z, y, x]:
                    continue
                for k in range(last + 1, z):
                    if last >= 0 and z < depth:
                        share = (k - last) / (z - last)
                        gray[k, y, x] = np.uint8(round(gray[last, y, x] * (1 - share) + gray[z, y, x] * share))
                    elif last >= 0:
                        gray[k, y, x] = gray[last, y, x]
                    elif z < depth:
                        gray[k, y, x] = gray[z, y, x]
                last = z
