"""The bodies that cost most: ground-truth bodies that are cut apart, and segments that join several.

They come from the per-body scores of `emseg.evaluate`; the report, the alerts and the links of the verdict show them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.config.base import Record
from emseg.evaluate import BodyScores


class Finding(Record):
    """One body: `bits` it adds to the VI of the whole, and the fewest `partners` that hold 90 % of it."""

    body: int
    voxels: int
    bits: float
    partners: int


class Findings(Record):
    """Worst first: `cut` are ground-truth bodies by VI split, `joining` are segments by VI merge."""

    cut: tuple[Finding, ...] = ()
    joining: tuple[Finding, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """One a finding, for people, the cut bodies before the joining ones."""
        cut = (
            f"Body {f.body} of the ground truth ({f.voxels} voxels) costs {f.bits:.3f} bits of VI split; "
            f"90 % of it takes {f.partners} segment{'s' * (f.partners != 1)}"
            for f in self.cut
        )
        joining = (
            f"Segment {f.body} ({f.voxels} voxels) costs {f.bits:.3f} bits of VI merge; "
            f"90 % of it lies in {f.partners} bod{'ies' if f.partners != 1 else 'y'}"
            for f in self.joining
        )
        return (*cut, *joining)


class ImageFinding(Record):
    """What the image checks found in a subvolume and what was done, or why its segmentation failed."""

    subvolume: str
    finding: str
    text: str


def worst_findings(bodies: BodyScores, segments: BodyScores, count: int = 10) -> Findings:
    """The `count` worst of each kind; `bodies` from `per_body`, `segments` from `per_segment`.

    Segment 0 (unassigned) and bodies that cost nothing are left out.
    """
    return Findings(cut=_worst(bodies, bodies.vi_split, count), joining=_worst(segments, segments.vi_merge, count))


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
