"""Colours of bodies: a pure function of the id, so that a body looks the same in every picture of every run."""

from __future__ import annotations

import colorsys

import numpy as np

from emseg.array_types import AnyLabels, Floats, Labels64
from emseg.evaluate import contingency_table

_GOLDEN_64 = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: its multiples, cut to 64 bits, spread most evenly over the circle of hues."""


def body_colours(ids: AnyLabels) -> Floats:
    """RGB of each id, float64 0 to 1, shape `ids.shape + (3,)`; id 0 (no body) is black.

    The hue comes from the top bits of `id * 2^64/phi mod 2^64` (Knuth, TAOCP 3, 6.4), lightness and saturation from the
    next ones, so neighbouring ids differ. Worked example: id 1 has hue 0x9E37... / 2^64 = 0.618, a blue.
    """
    unique, index = np.unique(ids, return_inverse=True)
    table = np.array([_colour(int(mixed)) for mixed in unique.astype(np.uint64) * _GOLDEN_64]).reshape(-1, 3)
    table[unique == 0] = 0.0
    return table[index].reshape(*ids.shape, 3)


def renamed_by_best_overlap(segmentation: AnyLabels, groundtruth: AnyLabels) -> Labels64:
    """Each segment renamed to the ground-truth body that it shares most voxels with; 0 where it meets none.

    For colouring only: a segment that joins two bodies then shows in the colour of the larger one, running over the
    other. Among equals the smaller body id counts. Same shape as `segmentation`.
    """
    table = contingency_table(segmentation, groundtruth)
    order = np.lexsort((table.groundtruth, -table.count, table.segmentation))
    segments, first = np.unique(table.segmentation[order], return_index=True)
    bodies = table.groundtruth[order][first]
    unique, index = np.unique(segmentation, return_inverse=True)
    names = np.zeros(len(unique), np.uint64)
    names[np.isin(unique, segments)] = bodies[np.isin(segments, unique)]
    names[unique == 0] = 0
    return names[index].reshape(segmentation.shape)


def _colour(mixed: int) -> tuple[float, float, float]:
    hue = mixed / 2**64
    lightness = 0.45 + 0.2 * (mixed >> 20 & 0xFF) / 255
    saturation = 0.65 + 0.35 * (mixed >> 40 & 0xFF) / 255
    return colorsys.hls_to_rgb(hue, lightness, saturation)
