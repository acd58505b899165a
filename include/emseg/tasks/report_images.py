"""What a report tells of the images: what was masked, what failed, and what the image checks found and did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from emseg.phases.segment.labels import FINDING
from emseg.quality import ImageFinding
from emseg.quality.report.document import Images
from emseg.store import ItemMarker

SHOWN = 100


def images_of(markers: Iterable[ItemMarker], given_up: Mapping[str, str]) -> Images:
    """Sums over the markers of `segment`; the first `SHOWN` findings, those that were given up before all others."""
    known = list(markers)
    found = image_findings(known, given_up)
    counted = Counter(each.finding for each in found[len(given_up) :])
    return Images(
        voxels=_total(known, "voxels"),
        masked_voxels=_total(known, "masked_voxels"),
        quarantined=_total(known, "quarantined"),
        failed=len(given_up),
        found=dict(sorted(counted.items())),
        shown=tuple(found[:SHOWN]),
    )


def image_findings(markers: Iterable[ItemMarker], given_up: Mapping[str, str]) -> list[ImageFinding]:
    """The subvolumes that were given up, with the reason of each; then what the image checks found."""
    failed = [ImageFinding(subvolume=item, finding="failed", text=reason) for item, reason in given_up.items()]
    found = [
        ImageFinding(subvolume=marker.item, finding=name.removeprefix(FINDING), text=str(text))
        for marker in markers
        for name, text in marker.statistics.items()
        if name.startswith(FINDING)
    ]
    return sorted(failed, key=lambda each: each.subvolume) + sorted(found, key=lambda e: (e.finding, e.subvolume))


def _total(markers: Iterable[ItemMarker], name: str) -> int:
    return sum(int(marker.statistics.get(name, 0)) for marker in markers)
