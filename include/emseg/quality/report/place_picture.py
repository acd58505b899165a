"""The picture of a place: grayscale, segmentation and ground truth of one plane, side by side, with a scale bar.

A body has the colour of its id, the same in every picture of every run. Those that the place is about are painted
strongly, the others faintly: a cut body is one colour on the right and several in the middle.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from emseg.array_types import AnyLabels, Floats, Gray, Mask
from emseg.geometry import Box, Coordinate
from emseg.quality.colours import body_colours

SIDE_VOX = 256
"""Longest side of the plane."""
_GAP_PX = 4
_STRONG, _FAINT = 0.6, 0.12
_QUALITY = 80
_BAR_PX = 4
_NICE = (1, 2, 5)


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane of a place: all three are (Y, X) of one shape, `about` are the bodies that it is about."""

    gray: Gray
    segmentation: AnyLabels
    groundtruth: AnyLabels
    about: tuple[Collection[int], Collection[int]]


def plane_of(position_vox: tuple[float, float, float], bounds: Box) -> Box:
    """The plane of Y and X around a position, inside of `bounds`, at most `SIDE_VOX` a side, one voxel deep.

    Worked example: around (5, 10, 200) in a volume of 300 voxels a side it begins at (5, 0, 44) and ends at
    (6, 256, 300): near the border it is moved, not cut.
    """
    at = Coordinate.of([int(edge) for edge in position_vox])
    shape = Coordinate(1, min(bounds.shape[1], SIDE_VOX), min(bounds.shape[2], SIDE_VOX))
    low, high = bounds.start, bounds.stop - shape
    start = [min(max(a - side // 2, lo), hi) for a, side, lo, hi in zip(at, shape, low, high, strict=True)]
    return Box.of_shape(shape, Coordinate.of(start))


def worst_plane(inside: Mask, other: AnyLabels, partners: Collection[int]) -> tuple[int, int, int] | None:
    """Where a body shows best that several partners share it: the plane, and between the two largest ones in it.

    `inside` is the body, `other` the labels of the partners, both ZYX of one shape. Of all planes that one is taken in
    which the second largest partner has most voxels of the body; None where no plane shows two.
    """
    held = np.array([((other == partner) & inside).sum(axis=(1, 2)) for partner in sorted(partners)], np.int64)
    if len(held) < 2:
        return None
    second = np.sort(held, axis=0)[-2]
    z = int(second.argmax())
    if second[z] == 0:
        return None
    two = np.array(sorted(partners), other.dtype)[np.argsort(-held[:, z], kind="stable")[:2]]
    centres = [np.argwhere((other[z] == partner) & inside[z]).mean(axis=0) for partner in two]
    y, x = ((centres[0] + centres[1]) / 2).astype(int).tolist()
    return z, y, x


def scale_bar_nm(width_vox: int, voxel_nm: float) -> float:
    """The longest of 1, 2, 5, 10, ... nm that is at most a third of the width: 256 voxels of 8 nm have 500 nm."""
    third = width_vox * voxel_nm / 3
    power = 10.0 ** np.floor(np.log10(third))
    return float(max(step * power for step in _NICE if step * power <= third))


def place_jpeg(plane: Plane, bar_nm: float, voxel_nm: float) -> bytes:
    """JPEG of the three panels; the bar is white on black at the lower left of each, `voxel_nm` a pixel."""
    import simplejpeg

    base = np.repeat(plane.gray[..., None] / 255.0, 3, axis=2)
    panels = [
        base,
        _painted(base, plane.segmentation, plane.about[0]),
        _painted(base, plane.groundtruth, plane.about[1]),
    ]
    for panel in panels:
        _draw_bar(panel, round(bar_nm / voxel_nm))
    gap = np.ones((len(base), _GAP_PX, 3))
    image = np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)
    pixels: npt.NDArray[np.uint8] = np.ascontiguousarray((image * 255).round().astype(np.uint8))
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="444")
    return data


def as_jpeg(png: bytes) -> bytes:
    """A PNG as JPEG: a third of the size where it shows grayscale."""
    import simplejpeg
    from matplotlib.image import imread

    pixels = imread(BytesIO(png), format="png")[..., :3]
    whole: npt.NDArray[np.uint8] = np.ascontiguousarray((pixels * 255).round().astype(np.uint8))
    data: bytes = simplejpeg.encode_jpeg(whole, quality=_QUALITY, colorspace="RGB", colorsubsampling="444")
    return data


def _painted(base: Floats, labels: AnyLabels, about: Collection[int]) -> Floats:
    strong = np.isin(labels, np.array(sorted(about), labels.dtype))
    amount = np.where(strong, _STRONG, np.where(labels != 0, _FAINT, 0.0))[..., None]
    painted: Floats = (1 - amount) * base + amount * body_colours(labels)
    border = np.zeros(labels.shape, bool)
    border[1:] |= labels[1:] != labels[:-1]
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    painted[border] *= 0.5
    return painted


def _draw_bar(panel: Floats, length_px: int) -> None:
    height, width = panel.shape[:2]
    y, x = max(height - 12, 0), min(8, max(width - length_px, 0))
    panel[max(y - 1, 0) : y + _BAR_PX + 1, max(x - 1, 0) : x + length_px + 1] = 0
    panel[y : y + _BAR_PX, x : x + length_px] = 1
