"""The bodies that cost most: ground-truth bodies that are cut apart, and segments that join several.

They come from the per-body scores of `emseg.evaluate`; the report, the alerts and the links of the verdict show them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from emseg.array_types import Counts, Ids
from emseg.config.base import Position3, Record
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import (
    BODIES,
    BodyScores,
    ContingencyTable,
    TruthNames,
    beginning,
    per_body,
    per_segment,
    told,
)


class View(Record):
    """Where to look in neuroglancer: at a voxel (ZYX, its middle), so many nm wide, with these bodies selected."""

    position_vox: tuple[float, float, float]
    span_nm: float
    segments: tuple[int, ...] = ()
    bodies: tuple[int, ...] = Field(default=(), description="Bodies of the ground truth")


class Finding(Record):
    """One body: `bits` it adds to the VI of the whole, and the fewest `partners` that hold 90 % of it.

    `partner_ids` are the largest of these, without 0 (unassigned); of components the bodies.
    """

    body: int
    voxels: int
    bits: float
    partners: int
    partner_ids: tuple[int, ...] = ()
    component_vox: Position3 | None = Field(default=None, description="First voxel (ZYX) of the component of the body")
    view: View | None = None


class LargeBody(Record):
    """One of the largest bodies of all of the volume: `share` is that of all labelled voxels."""

    body: int
    voxels: int
    share: float
    view: View | None = None

    def sentence(self) -> str:
        """What people read of it."""
        z, y, x = (int(at) for at in self.view.position_vox) if self.view else (0, 0, 0)
        where = f", at Z {z}, Y {y}, X {x}" if self.view else ""
        return f"Body {self.body} has {self.voxels} voxels, {100 * self.share:.4g} % of all that are labelled{where}"


class Findings(Record):
    """Worst first: `cut` are ground-truth bodies by VI split, `joining` are segments by VI merge.

    `largest` are the largest bodies of all of the volume, for which no ground truth is needed. `view` shows the
    largest segments. With `components` these are what the segmentation was measured against, in place of bodies.
    """

    cut: tuple[Finding, ...] = ()
    joining: tuple[Finding, ...] = ()
    largest: tuple[LargeBody, ...] = ()
    view: View | None = None
    components: bool = False

    def sentences(self) -> tuple[str, ...]:
        """One a finding, for people, the cut bodies before the joining ones."""
        cut = (
            f"{beginning(told(f.body, f.component_vox))} of the ground truth ({f.voxels} voxels) "
            f"costs {f.bits:.3f} bits of VI split; 90 % of it takes {f.partners} segment{'s' * (f.partners != 1)}"
            for f in self.cut
        )
        one, several = ("component", "components") if self.components else ("body", "bodies")
        joining = (
            f"Segment {f.body} ({f.voxels} voxels) costs {f.bits:.3f} bits of VI merge; "
            f"90 % of it lies in {f.partners} {one if f.partners == 1 else several}"
            for f in self.joining
        )
        return (*cut, *joining)


class ImageFinding(Record):
    """What the image checks found in a subvolume and what was done, or why its segmentation failed."""

    subvolume: str
    finding: str
    text: str


PARTNERS_KEPT = 20
"""Partners that a finding names, so that its link stays short."""


def worst_findings(
    table: ContingencyTable,
    count: int = 10,
    unassigned: Unassigned = Unassigned.SEGMENT,
    names: TruthNames = BODIES,
) -> Findings:
    """The `count` worst of each kind, without views.

    Segment 0 (unassigned) and bodies that cost nothing are left out.
    """
    bodies, segments = per_body(table, unassigned), per_segment(table, unassigned)
    cut, joining = _worst(bodies, bodies.vi_split, count), _worst(segments, segments.vi_merge, count)
    return Findings(
        cut=tuple(_named(_with_partners(f, table.groundtruth, table.segmentation, table.count), names) for f in cut),
        joining=tuple(
            _joining_named(_with_partners(f, table.segmentation, table.groundtruth, table.count), names)
            for f in joining
        ),
        components=names.components is not None,
    )


def _named(cut: Finding, names: TruthNames) -> Finding:
    return cut.model_copy(update={"body": names.body(cut.body), "component_vox": names.first_vox(cut.body)})


def _joining_named(joining: Finding, names: TruthNames) -> Finding:
    bodies = names.bodies(np.array(joining.partner_ids, np.uint64)).tolist()
    return joining.model_copy(update={"partner_ids": tuple(dict.fromkeys(bodies))})


def _with_partners(finding: Finding, side: Ids, other: Ids, count: Counts) -> Finding:
    rows = np.flatnonzero(side == np.uint64(finding.body))
    largest = other[rows[np.lexsort((other[rows], -count[rows]))]][: min(finding.partners, PARTNERS_KEPT)]
    return finding.model_copy(update={"partner_ids": tuple(largest[largest != 0].tolist())})


def _worst(scores: BodyScores, bits: npt.NDArray[np.float64], count: int) -> tuple[Finding, ...]:
    order = np.lexsort((scores.ids, -bits))
    chosen = order[(scores.ids[order] != 0) & (bits[order] > 0)][:count]
    return tuple(
        Finding(
            body=int(scores.ids[i]),
            voxels=int(scores.voxels[i]),
            bits=float(bits[i]),
            partners=int(scores.fragments[i]),
        )
        for i in chosen
    )
