"""Which tiles of which sections are faulty: found by what the sections on both sides of them agree on.

A run of up to four sections is bad where both of its ends differ from the sections beside it by more than these two
differ from each other. The differences are compared at one location of one volume, and the limit is relative to the
95th percentile over the subvolume, so that it holds for any tissue, noise and distance of sections.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from emseg.segment.image_checks.runs import Flags, short_runs
from emseg.segment.image_checks.sums import FLAT, REACH, Figures, SectionTiles

LONGEST_RUN = REACH - 1
_MISFIT = (1.9, 2.5, 2.5, 2.5)
"""Ratio of changes from which a run of 1, 2, 3, 4 sections is bad, in units of the 95th percentile in the subvolume.

The largest in clean tissue: 1.4 for one section at 10 nm, 1.6 at 40 nm, and 2.2 for longer runs.
"""
_MISFIT_BESIDE = 1.2
"""The limit for tiles that touch a bad one: the edge of the damage may cross them."""
_SECTION_MISFIT = 1.25
"""The limit for the median over a section, which is far steadier than the ratio of one tile."""
_IN_BAD_SECTION = 0.95
"""The limit for the tiles of a section whose median is above that limit."""
_WHOLE_SHARE = 0.75
"""A section with a larger share of bad tiles is bad all over."""
_SECTION_LEVEL, _SECTION_CONTRAST, _SECTION_ROUGHNESS = 0.3, 0.25, 0.4
"""Limits for medians over a section: brightness in deviations, the others in natural logarithms of ratios."""
_SECTION_USUAL = 4.0
"""And at least 4 times the 80th percentile over sections: with thick sections all of them differ more."""
_LEAST_WINDOWS, _LEAST_TILES = 16, 30
"""A median over fewer is not steady."""
_COPY, _COPY_LEVELS = 0.15, 0.3
"""A section repeats the one before it if it changed by less: as a share of the usual change, and in gray levels."""
_NOISE = 2.2
"""A tile is noisy from this many times the 60th percentile of roughness; clean tissue stays below 1.7."""


def misfits(tiles: SectionTiles, outside: Flags) -> Flags:
    """Tiles, but for those `outside`, that are unlike the sections before and after them."""
    windows = tiles.windows()
    ratio, bad = _misfit_runs(windows)
    if windows.voxels[0].size >= _LEAST_WINDOWS:
        section = np.median(ratio, axis=(1, 2)) > _SECTION_MISFIT
    else:
        section = np.zeros(len(ratio), bool)
    tile_ratio, _ = _misfit_runs(tiles)
    bad = _tiles_of(bad, outside.shape) & (tile_ratio > _MISFIT_BESIDE)
    bad |= touching(bad) & (tile_ratio > _MISFIT_BESIDE)
    bad |= section[:, None, None] & (tile_ratio > _IN_BAD_SECTION)
    bad |= ~bad & _changed(tiles, touching(bad))[:, None, None]
    bad |= (bad.mean(axis=(1, 2)) > _WHOLE_SHARE)[:, None, None]
    return bad & ~outside


def _misfit_runs(sums: SectionTiles) -> tuple[Figures, Flags]:
    """For each tile the largest ratio of any run that it lies in, and whether one of these runs is bad.

    Short runs are tried first, and a run that begins or ends beside a bad tile does not count: so good sections
    between two bad ones stay good.
    """
    change = sums.change / sums.voxels
    depth = change.shape[1]
    ratio, bad, usual = np.zeros(change.shape[1:]), np.zeros(change.shape[1:], bool), 1.0
    for length in range(1, min(LONGEST_RUN, depth - 2) + 1):
        ends = np.minimum(change[0, 1 : depth - length], change[0, 1 + length :])
        each = ends / np.maximum(change[length, 1 + length :], 1.0)
        each[bad[: depth - length - 1] | bad[length + 1 :]] = 0
        for k in range(length):
            members = slice(1 + k, 1 + k + len(each))
            np.maximum(ratio[members], each, out=ratio[members])
        usual = float(np.quantile(each, 0.95)) if length == 1 else usual
        bad |= _run_members(each > _MISFIT[length - 1] * usual, length)
    return ratio, bad


def _run_members(starts: Flags, length: int) -> Flags:
    """Sections of the runs of `length`; a run whose flag is number z begins with section z + 1."""
    members = np.zeros((len(starts) + length + 1, *starts.shape[1:]), bool)
    for k in range(length):
        members[1 + k : 1 + k + len(starts)] |= starts
    return members


def _changed(tiles: SectionTiles, known: Flags) -> Flags:
    """Sections of which most tiles, but for those `known` to be bad, stand out in brightness, contrast or roughness."""
    judged = (~known).sum(axis=(1, 2))
    enough = judged >= max(_LEAST_TILES, known[0].size // 3)
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
    """How far each section lies above both sections around a run, or below both, less the difference of these two.

    It is the largest over all runs that the section is in, and 0 where there is none; NaN stays out of it.
    """
    out = np.zeros_like(values)
    depth = len(values)
    for length in range(1, min(LONGEST_RUN, depth - 2) + 1):
        for offset in range(1, length + 1):
            middle = values[offset : depth - length - 1 + offset]
            low, high = values[: depth - length - 1], values[length + 1 :]
            above = np.minimum(middle - low, middle - high)
            below = np.minimum(low - middle, high - middle)
            largest = out[offset : depth - length - 1 + offset]
            np.fmax(largest, np.maximum(above, below) - np.abs(low - high), out=largest)
    return out


def copies(tiles: SectionTiles) -> Flags:
    """Tiles that repeat those of the section before."""
    change = tiles.change[0] / tiles.voxels
    change[0] = change[1:2] if len(change) > 1 else 0
    usual = ndimage.median_filter(change, size=(2 * REACH - 1, 1, 1), mode="nearest")
    copied: Flags = (change < np.minimum(_COPY * usual, _COPY_LEVELS)) & (usual > FLAT)
    copied[0] = False
    return copied


def noisy_regions(tiles: SectionTiles, flat: Flags) -> Flags:
    """Tiles with much noise through more sections than a run may have."""
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


def touching(where: Flags) -> Flags:
    """The flags and the tiles beside them in the section."""
    grown: Flags = ndimage.binary_dilation(where, np.ones((1, 3, 3), bool))
    return grown
