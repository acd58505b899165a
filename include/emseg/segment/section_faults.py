"""Faults of sections (Z), whole ones or parts of them, found by what the sections on both sides agree on.

A run of up to four sections is bad where both of its ends differ from the sections beside it by more than these two
differ from each other. That is a ratio of changes in one place of one volume, and its limit is a multiple of what is
usual there, so that it holds for any tissue, noise and distance of sections. Why a part is bad is
asked afterwards, of its mean, deviation and roughness, and of the move that fits it to the section before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from emseg.segment.image_sums import REACH, Edges, Figures, SectionTiles
from emseg.segment.protocol import Gray

Flags = npt.NDArray[np.bool_]

FLAT = 1.5
"""Deviation of gray levels below which a place holds no signal; clean tissue has 4 and more even in 80 nm."""
LONGEST_RUN = REACH - 1
_LONGEST_MISSING = 7
_MISFIT = (1.9, 2.5, 2.5, 2.5)
"""Ratio of changes from which a run of 1, 2, 3, 4 sections is bad, in units of the 95th percentile in the subvolume.

The largest in clean tissue: 1.4 for one section at 10 nm, 1.6 at 40 nm, and 2.2 for longer runs.
"""
_MISFIT_BESIDE = 1.2
"""For tiles that touch a bad one: the edge of the damage may cross them."""
_SECTION_MISFIT = 1.25
"""For the median over a section, which is far steadier than its parts."""
_IN_BAD_SECTION = 0.95
"""For its tiles."""
_WHOLE_SHARE = 0.75
"""A section of which more is bad is bad all over."""
_SECTION_LEVEL, _SECTION_CONTRAST, _SECTION_ROUGHNESS = 0.3, 0.25, 0.4
"""In deviations, and in natural logarithms of ratios; medians over a section."""
_SECTION_USUAL = 4.0
"""And so many times what four fifths of the sections keep: with thick sections all of them differ more."""
_LEAST_WINDOWS, _LEAST_TILES = 16, 30
"""A median over fewer is not steady."""
_COPY, _COPY_LEVELS = 0.15, 0.3
"""Change since the section before: of what is usual there, and in gray levels."""
_NOISE = 2.2
"""Roughness of a tile, of what three fifths of the subvolume keep; clean tissue stays below 1.7."""
_NOISY, _JUMP_LEVEL, _JUMP_CONTRAST = 0.35, 0.3, 0.2
"""What a bad part must differ by to be called noisy, or of other contrast (logarithms, deviations)."""
_FITS = 0.8
"""A move explains a part if it leaves less than this of the difference."""


@dataclass(frozen=True, eq=False)
class SectionFault:
    """A named fault, its tiles (Z, tiles Y, tiles X), and more about it in words."""

    name: str
    where: Flags
    text: str


def section_faults(
    gray: Gray, tiles: SectionTiles, edges: tuple[Edges, Edges], outside: Flags, least_shift_vox: float
) -> Iterator[SectionFault]:
    """Every fault of sections, at most one of a name; no tile has two of them.

    `tiles` are those between `edges`; those flagged `outside` hold no tissue, and nothing is said about them.
    """
    outside = _touching(outside)
    flat = tiles.deviation < FLAT
    missing = _inner_runs(flat, _LONGEST_MISSING) & ~outside
    flat |= outside
    bad = _misfits(tiles, flat & ~missing)
    copied = _copies(tiles) & ~flat & ~_touching(missing)
    noisy_region = _noisy_regions(tiles, flat)
    missing |= bad & _touching(missing)
    if missing.any():
        yield SectionFault("missing-section", missing, "without signal")
    if copied.any():
        yield SectionFault("duplicated-section", copied, "the same as the section before")
    parts = _explained(gray, tiles, bad & ~missing & ~copied & ~flat, edges, least_shift_vox)
    if noisy_region.any():
        told = parts.pop("noise-burst", None)
        parts["noise-burst"] = SectionFault(
            "noise-burst", noisy_region if told is None else noisy_region | told.where, "several times the usual noise"
        )
    yield from (parts[name] for name in sorted(parts))


def runs(where: Flags) -> Iterator[tuple[int, int]]:
    """Half-open runs of True in one row."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    yield from zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True)


def short_runs(where: Flags, longest: int) -> Flags:
    """Those flags that lie in runs along Z of at most `longest` sections."""
    if longest + 1 > len(where):
        return where.copy()
    long: Flags = ndimage.binary_opening(where, np.ones((longest + 1, *(1,) * (where.ndim - 1)), bool))
    return where & ~long


def _inner_runs(where: Flags, longest: int) -> Flags:
    """Short runs with sections before and after them: what touches an end is the edge of the volume."""
    out = short_runs(where, longest)
    for end in (out, out[::-1]):
        touching = np.logical_and.accumulate(end, axis=0)
        end[touching] = False
    return out


def _misfits(tiles: SectionTiles, outside: Flags) -> Flags:
    windows = tiles.windows()
    ratio, bad = _misfit_runs(windows)
    if windows.voxels[0].size >= _LEAST_WINDOWS:
        section = np.median(ratio, axis=(1, 2)) > _SECTION_MISFIT
    else:
        section = np.zeros(len(ratio), bool)
    tile_ratio, _ = _misfit_runs(tiles)
    bad = _tiles_of(bad, outside.shape) & (tile_ratio > _MISFIT_BESIDE)
    bad |= _touching(bad) & (tile_ratio > _MISFIT_BESIDE)
    bad |= section[:, None, None] & (tile_ratio > _IN_BAD_SECTION)
    bad |= ~bad & _changed(tiles, _touching(bad))[:, None, None]
    bad |= (bad.mean(axis=(1, 2)) > _WHOLE_SHARE)[:, None, None]
    return bad & ~outside


def _misfit_runs(sums: SectionTiles) -> tuple[Figures, Flags]:
    """Largest ratio of each place in any run that it lies in, and whether it is in one above the limit.

    Short runs come first, and a run beside a bad place is none: good sections between two bad ones stay good.
    """
    change = sums.change / sums.voxels
    depth = change.shape[1]
    ratio, bad, usual = np.zeros(change.shape[1:]), np.zeros(change.shape[1:], bool), 1.0
    for length in range(1, min(LONGEST_RUN, depth - 2) + 1):
        ends = np.minimum(change[0, 1 : depth - length], change[0, 1 + length :])
        each = ends / np.maximum(change[length, 1 + length :], 1.0)
        each[bad[: depth - length - 1] | bad[length + 1 :]] = 0
        for k in range(length):
            inside = slice(1 + k, 1 + k + len(each))
            np.maximum(ratio[inside], each, out=ratio[inside])
        usual = float(np.quantile(each, 0.95)) if length == 1 else usual
        bad |= _run_members(each > _MISFIT[length - 1] * usual, length)
    return ratio, bad


def _run_members(starts: Flags, length: int) -> Flags:
    """Sections of the runs of `length` that begin one section after the flagged places of an array without ends."""
    members = np.zeros((len(starts) + length + 1, *starts.shape[1:]), bool)
    for k in range(length):
        members[1 + k : 1 + k + len(starts)] |= starts
    return members


def _changed(tiles: SectionTiles, known: Flags) -> Flags:
    """Sections of which most tiles, but for those `known` to be bad, stand out in brightness, contrast or roughness."""
    rest = (~known).sum(axis=(1, 2))
    enough = rest >= max(_LEAST_TILES, known[0].size // 3)
    usual = max(float(np.median(tiles.deviation)), 1e-6)
    contrast = np.log(np.maximum(tiles.deviation, 0.1))
    roughness = np.log(np.maximum(tiles.rough / tiles.voxels, 0.01)) / 2
    found = np.zeros(len(contrast), bool)
    for values, limit in (
        (tiles.total / tiles.voxels / usual, _SECTION_LEVEL),
        (contrast, _SECTION_CONTRAST),
        (roughness, _SECTION_ROUGHNESS),
    ):
        outlying = _outlying(np.where(known, np.nan, values))
        outlying = np.where(known, np.nan, outlying).reshape(len(values), -1)[enough]
        if enough.any():
            away = np.nanmedian(outlying, axis=1)
            found[enough] |= away > max(limit, _SECTION_USUAL * float(np.quantile(away, 0.8)))
    return found


def _outlying(values: Figures) -> Figures:
    """How far each section lies above or below both sections around a run, less what these two differ; without NaN."""
    out = np.zeros_like(values)
    depth = len(values)
    for length in range(1, min(LONGEST_RUN, depth - 2) + 1):
        for offset in range(1, length + 1):
            here = values[offset : depth - length - 1 + offset]
            low, high = values[: depth - length - 1], values[length + 1 :]
            above = np.minimum(here - low, here - high)
            below = np.minimum(low - here, high - here)
            inside = out[offset : depth - length - 1 + offset]
            np.fmax(inside, np.maximum(above, below) - np.abs(low - high), out=inside)
    return out


def _copies(tiles: SectionTiles) -> Flags:
    change = tiles.change[0] / tiles.voxels
    change[0] = change[1:2] if len(change) > 1 else 0
    usual = ndimage.median_filter(change, size=(2 * REACH - 1, 1, 1), mode="nearest")
    copied: Flags = (change < np.minimum(_COPY * usual, _COPY_LEVELS)) & (usual > FLAT)
    copied[0] = False
    return copied


def _noisy_regions(tiles: SectionTiles, flat: Flags) -> Flags:
    """Places with much noise through more sections than a run may have."""
    if flat.all():
        return np.zeros_like(flat)
    rough = np.sqrt(tiles.rough / tiles.voxels)
    noisy = ~flat & (rough > _NOISE * float(np.quantile(rough[~flat], 0.6)))
    return noisy & ~short_runs(noisy, LONGEST_RUN)


def _tiles_of(windows: Flags, shape: tuple[int, ...]) -> Flags:
    """Tiles that lie in a flagged window."""
    out = np.zeros(shape, bool)
    for a in range(shape[1] - windows.shape[1] + 1):
        for b in range(shape[2] - windows.shape[2] + 1):
            out[:, a : a + windows.shape[1], b : b + windows.shape[2]] |= windows
    return out


def _touching(where: Flags) -> Flags:
    """The flags and the tiles beside them in the section."""
    grown: Flags = ndimage.binary_dilation(where, np.ones((1, 3, 3), bool))
    return grown


def _explained(
    gray: Gray, tiles: SectionTiles, bad: Flags, edges: tuple[Edges, Edges], least_shift_vox: float
) -> dict[str, SectionFault]:
    """Each connected bad part of each section under its name."""
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
    good = np.flatnonzero(~(bad & part).any(axis=(1, 2)))
    if len(good) == 0:
        return "odd-section", "unlike the sections beside them"
    after = int(np.searchsorted(good, z))
    low, high = int(good[max(after - 1, 0)]), int(good[min(after, len(good) - 1)])
    here, before, behind = (_figures(tiles, each, part) for each in (z, low, high))
    level, contrast, roughness = here - (before + behind) / 2
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
    """Voxels of the move that fits a part of a section to the section before; 0 where no move does."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    place = tuple(slice(int(e[n[0]]), int(e[n[-1] + 1])) for e, n in zip(edges, (rows, columns), strict=True))
    a, b = first[place].astype(np.float32), second[place].astype(np.float32)
    (dy, dx), _, _ = phase_cross_correlation(a - a.mean(), b - b.mean(), normalization=None)
    y, x = int(dy), int(dx)
    if max(abs(y), abs(x)) * 3 > min(a.shape):
        return 0.0
    height, width = a.shape
    fixed = a[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
    moved = b[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
    fits = np.abs(fixed - moved).mean() < _FITS * np.abs(a - b).mean()
    return float(np.hypot(y, x)) if fits else 0.0
