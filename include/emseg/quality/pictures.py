"""Pictures for people who judge a result by eye: slices side by side, sizes of bodies.

Arrays in, PNG bytes out; the report and the run folder keep them. Equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emseg.array_types import AnyLabels, Floats, Gray, Probability
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate
from emseg.quality.colours import body_colours, renamed_by_best_overlap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_VOX = 1024
"""Longest side of a slice in a picture: what a page can show, and what one task may read."""
_OVERLAY = 0.5

CAPTION_WITH_TRUTH = (
    "Each segment has the colour of the ground-truth body it overlaps most, dark lines are its borders. "
    "A dark line inside one body's area: split. One colour running over two bodies: merge. No colour: no segment."
)
CAPTION_WITHOUT_TRUTH = "Each body has a colour made from its id, the same in every run. No colour: no body."


def picture_slices(region: Box) -> list[Box]:
    """Up to three slices of a region for a picture, each a box one voxel deep.

    They show the middle of the region, at most `PICTURE_VOX` along Y and X. Worked example: of 12 x 2000 x 500 voxels
    at voxel 0 they are slices 2, 6 and 10, each (488, 0) to (1512, 500).
    """
    depth, height, width = region.shape
    shape = Coordinate(1, min(height, PICTURE_VOX), min(width, PICTURE_VOX))
    corner = region.start + (region.shape - shape) // 2 * (0, 1, 1)
    return [Box.of_shape(shape, corner + Coordinate(z, 0, 0)) for z in sorted({depth // 6, depth // 2, depth * 5 // 6})]


def slices_picture(
    grayscale: Gray,
    segmentation: AnyLabels,
    groundtruth: AnyLabels | None,
    z: Sequence[int],
    title: str,
    probability: Probability | None = None,
) -> bytes:
    """Slices, a row each: grayscale, segmentation on it, ground truth. `z` says where in the volume each slice lies.

    Arrays are (len(z), Y, X). The boundary probability, 0 (black) to 1, follows the grayscale where it is given. With
    ground truth the segments are coloured after it, as `CAPTION_WITH_TRUTH` tells under the picture. PermanentError for
    arrays of different shapes or without voxels.
    """
    _check_shapes(len(z), grayscale, segmentation, *(a for a in (groundtruth, probability) if a is not None))
    named = segmentation if groundtruth is None else renamed_by_best_overlap(segmentation, groundtruth)
    columns = ["grayscale", *([] if probability is None else ["boundary probability"]), "segmentation"]
    columns += [] if groundtruth is None else ["ground truth"]
    figure = _figure(3.4 * len(columns), 3.4 * len(z) + 1.0, title)
    axes = figure.subplots(len(z), len(columns), squeeze=False)
    for row, section in enumerate(z):
        panels = [_as_rgb(grayscale[row])]
        if probability is not None:
            panels.append(np.repeat(probability[row, ..., None].astype(np.float64), 3, axis=2))
        panels.append(_overlaid(grayscale[row], named[row], segmentation[row]))
        if groundtruth is not None:
            panels.append(_overlaid(grayscale[row], groundtruth[row], groundtruth[row]))
        for axis, panel, column in zip(axes[row], panels, columns, strict=True):
            axis.imshow(panel, interpolation="nearest")
            axis.set(xticks=[], yticks=[], title=column if row == 0 else "")
        axes[row][0].set_ylabel(f"z = {section}")
    figure.supxlabel(CAPTION_WITHOUT_TRUTH if groundtruth is None else CAPTION_WITH_TRUTH, fontsize=8, wrap=True)
    return _png(figure)


def sizes_picture(voxels: npt.NDArray[np.integer]) -> bytes:
    """Distribution of body sizes: `voxels` is the size of each body, all above 0."""
    if len(voxels) == 0 or int(voxels.min()) <= 0:
        raise PermanentError(
            "drawing body sizes", f"{len(voxels)} bodies", "no bodies, or empty ones", "Give sizes above 0"
        )
    figure = _figure(9, 3.6, f"Sizes of {len(voxels)} bodies")
    left, right = figure.subplots(1, 2)
    edges = np.logspace(0, np.ceil(np.log10(voxels.max() + 1)), 40)
    left.hist(voxels, bins=edges, color="#3b6ea5")
    left.set(xscale="log", yscale="log", ylim=(0.7, None), xlabel="voxels", ylabel="bodies")
    falling = np.sort(voxels)[::-1]
    right.plot(np.arange(1, len(falling) + 1), np.cumsum(falling) / falling.sum(), color="#3b6ea5")
    right.set(xscale="log", ylim=(0, 1), xlabel="largest bodies", ylabel="share of labelled voxels")
    return _png(figure)


def _check_shapes(slices: int, grayscale: Gray, *others: npt.NDArray[Any]) -> None:
    shapes = {grayscale.shape, *(other.shape for other in others)}
    if len(shapes) > 1 or grayscale.ndim != 3 or grayscale.size == 0 or len(grayscale) != slices:
        raise PermanentError(
            "drawing slices", f"shapes {sorted(shapes)}", f"not one shape of {slices} slices", "Read all from one box"
        )


def _figure(width: float, height: float, title: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    return figure


def _png(figure: Figure) -> bytes:
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None})
    return sink.getvalue()


def _as_rgb(gray: Gray) -> Floats:
    return np.repeat(gray[..., None] / 255.0, 3, axis=2)


def _overlaid(gray: Gray, names: AnyLabels, borders_of: AnyLabels) -> Floats:
    """Colours of `names` over the grayscale, nothing where the name is 0; borders of `borders_of` darkened."""
    base = _as_rgb(gray)
    inside = (names != 0)[..., None]
    mixed = np.where(inside, (1 - _OVERLAY) * base + _OVERLAY * body_colours(names), base)
    border = np.zeros(gray.shape, bool)
    border[1:] |= borders_of[1:] != borders_of[:-1]
    border[:, 1:] |= borders_of[:, 1:] != borders_of[:, :-1]
    return np.where(border[..., None], 0.15 * mixed, mixed)
