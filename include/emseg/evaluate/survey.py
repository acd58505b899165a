"""Figures of a segmentation that need no ground truth: from what was counted over all of the volume.

Worked example: bodies of 6, 3 and 1 voxels. The largest has 60 % of the voxels. The mean body size, seen from a voxel,
is (36 + 9 + 1) / 10 = 4.6 voxels: a join of the first two makes it 8.2. No other figure here shows joins so early, as
it grows by the product of the two sizes, wherever in the volume they are.

A new figure is a row of `SURVEY_FIGURES`, its limit a field of `emseg.config.gate.Everywhere`, and how much worse it
may be a field of `emseg.config.gate.EverywhereRegression`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Survey:
    """What was counted. Voxels are those of the cores; `squares` is the sum of the squares of body sizes, voxels.

    `seams_met` are sides of bodies that meet a seam, `seams_ended` those that end there; the same for planes inside.
    `asked_vox` are voxels of the ROI and of no preserved body, in subvolumes that did not fail.
    """

    voxel_um3: float
    bodies: int
    voxels: int
    squares: float
    largest_vox: int
    orphans: int
    orphan_vox: int
    seams_met: int
    seams_ended: int
    inside_met: int
    inside_ended: int
    asked_vox: int
    core_vox: int
    failed_vox: int
    quarantined_vox: int
    candidates: int
    parked: int

    @property
    def seam_ends(self) -> float:
        """Of the sides of bodies that meet a seam, the share that ends there."""
        return _share(self.seams_ended, self.seams_met)

    @property
    def inside_ends(self) -> float:
        """Of those that meet a plane inside a core, the share that ends there: what is natural."""
        return _share(self.inside_ended, self.inside_met)

    def figure(self, name: str) -> float:
        """One of `SURVEY_FIGURES`."""
        return SURVEY_FIGURES[name].compute(self)

    @property
    def figures(self) -> dict[str, float]:
        """All of `SURVEY_FIGURES`."""
        return {name: self.figure(name) for name in SURVEY_FIGURES}


@dataclass(frozen=True)
class SurveyFigure:
    """A number of a survey; more of it is worse. A `relative` one is compared by its growth: 1 is twice as much."""

    title: str
    unit: str
    compute: Callable[[Survey], float]
    relative: bool = False

    def worsening(self, own: float, other: float) -> float:
        """How much worse `own` is than `other`; below 0 where it is better."""
        if not self.relative:
            return own - other
        return own / other - 1 if other else float(own > 0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


SURVEY_FIGURES: Mapping[str, SurveyFigure] = {
    "bodies": SurveyFigure("Bodies of all of the volume", "", lambda s: float(s.bodies), relative=True),
    "body_size_um3": SurveyFigure(
        "Mean body size, seen from a voxel", "um3", lambda s: _share(s.squares, s.voxels) * s.voxel_um3, relative=True
    ),
    "largest_body_share": SurveyFigure(
        "Largest body of all of the volume, share", "", lambda s: _share(s.largest_vox, s.voxels)
    ),
    "orphan_share": SurveyFigure("Voxels in orphans, share", "", lambda s: _share(s.orphan_vox, s.voxels)),
    "seam_excess": SurveyFigure(
        "Bodies that end at seams, share above that inside", "", lambda s: max(0.0, s.seam_ends - s.inside_ends)
    ),
    "unlabelled_share": SurveyFigure(
        "Voxels without a body, share", "", lambda s: _share(max(0, s.asked_vox - s.voxels), s.asked_vox)
    ),
    "failed_share": SurveyFigure("Voxels of failed subvolumes, share", "", lambda s: _share(s.failed_vox, s.core_vox)),
    "quarantined_share": SurveyFigure(
        "Voxels of quarantined subvolumes, share", "", lambda s: _share(s.quarantined_vox, s.core_vox)
    ),
    "parked_share": SurveyFigure("Parked joins, share of the candidates", "", lambda s: _share(s.parked, s.candidates)),
}
"""By name. A figure without a limit is told and kept in the history all the same."""
