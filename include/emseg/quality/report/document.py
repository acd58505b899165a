"""The report about one judged run as numbers: page, JSON and the value in DVID are all made of this one document.

Stored as `quality.json` beside `report.html`. Whoever changes a field raises `SCHEMA`: programs of others read it.
Positions and shapes are Z Y X; ids are those of the labelmaps; VI is in bits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from emseg.config.base import Record
from emseg.config.dataset import Publication
from emseg.config.groundtruth import Unassigned
from emseg.quality.findings import ImageFinding

SCHEMA = 1
"""Number of the stored form."""

Vox3 = tuple[int, int, int]


class Interval(Record):
    """The middle 95 % of resamples of the subvolumes."""

    low: float
    high: float


class ReportFigure(Record):
    """One judged number of the whole, beside its limit and beside the served release.

    `worsening` is how much worse than the release it is, so a better one is below 0.
    """

    scope: str
    subject: str
    metric: str
    title: str
    unit: str
    value: float | None = Field(description="null: not measured")
    interval: Interval | None = None
    limit: float | None = Field(default=None, description="null: nothing is asked of it")
    direction: Literal["max", "min"] = "max"
    kept: bool = True
    served: float | None = None
    served_interval: Interval | None = None
    worsening: float | None = None
    worsening_interval: Interval | None = None


class TrendPoint(Record):
    """One judged run of the history."""

    time: datetime
    run: str
    passed: bool
    value: float
    interval: Interval | None = None


class Trend(Record):
    """A figure of the last runs on the same ground truth and region, oldest first; the last one is this run."""

    metric: str
    title: str
    unit: str
    points: tuple[TrendPoint, ...]


class Tile(Record):
    """A square of a map: the subvolume with the largest value, of either sign, behind it, of so many."""

    row: int
    column: int
    value: float
    subvolume: str
    subvolumes: int


class SubvolumeMap(Record):
    """Bits of the VI of the whole by subvolume, seen along an axis: `error`, or `change` against the served release.

    From `above` rows are Y, from the `side` they are Z; columns are X. `cells_a_tile` are cells of the grid along rows
    and columns.
    """

    shows: Literal["error", "change"]
    seen_from: Literal["above", "side"]
    shape: tuple[int, int]
    cells_a_tile: tuple[int, int]
    tiles: tuple[Tile, ...]


class ReportSubvolume(Record):
    """A subvolume among the worst: bits it adds to the VI of the whole, and how many more than in the release."""

    name: str
    start_vox: Vox3
    stop_vox: Vox3
    error: float
    change: float | None = None


class PlacePicture(Record):
    """Grayscale, segmentation and ground truth of a plane, side by side; `path` is below the run's folder."""

    path: str
    start_vox: Vox3
    stop_vox: Vox3
    bar_nm: float


class Place(Record):
    """A body that costs much: `cut` is of the ground truth, `joining` is a segment. `partners` hold 90 % of it.

    `component_vox` is the first voxel of a component of the body, where the run was measured against components.
    """

    kind: Literal["cut", "joining"]
    body: int
    voxels: int
    volume_um3: float
    bits: float
    partners: int
    component_vox: Vox3 | None = None
    position_vox: Vox3 | None = None
    picture: PlacePicture | None = None
    no_picture: str = Field(default="", description="Why there is none, where one was tried")
    link: str = ""


class ReportBody(Record):
    """One of the largest bodies of all of the volume; `share` is of all labelled voxels."""

    body: int
    voxels: int
    share: float
    position_vox: Vox3 | None = None
    link: str = ""


class ChangedBody(Record):
    """A body of the ground truth that broke or merged since the served release, and how many segments hold 90 % of it.

    `segment` has most of it now. `component_vox` is the first voxel of the component that it is about.
    """

    kind: Literal["broke", "merged"]
    body: int
    bits: float
    fragments_before: int
    fragments_now: int
    segment: int
    component_vox: Vox3 | None = None


class JoinAccuracy(Record):
    """Joins of one set of rules beside the ground truth; see `quality/report/joins.py`."""

    rules: str
    joins: int
    judged: int
    right: int
    wanted: int
    precision: float | None
    recall: float | None


class Joins(Record):
    """How good joins are. Read from `overlaps_read` overlaps of `overlaps`."""

    overlaps_read: int
    overlaps: int
    accuracy: tuple[JoinAccuracy, ...]


class ParkedJoin(Record):
    """A join that waits for a person: two supervoxels as DVID shows them, and what they share."""

    first: int
    second: int
    shared_vox: int
    reason: str
    link: str = ""


class Waiting(Record):
    """What waits for a person."""

    publication: Publication
    parked: int = 0
    parked_shown: tuple[ParkedJoin, ...] = ()


class Images(Record):
    """What image checks and steps left out: voxels with the halo of each subvolume, findings by name."""

    voxels: int = 0
    masked_voxels: int = 0
    quarantined: int = 0
    failed: int = 0
    found: dict[str, int] = Field(default_factory=dict, description="Subvolumes with a finding, by its name")
    shown: tuple[ImageFinding, ...] = ()


class QualityReport(Record):
    """All that the report tells. What could not be found out is named in `missing`, with the reason."""

    dataset: str
    run: str
    fingerprint: str
    time: datetime
    passed: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unassigned: Unassigned = Unassigned.SEGMENT
    has_groundtruth: bool = True
    components: bool = Field(default=False, description="Measured against components of bodies, not against bodies")
    left_out_voxels: int = 0
    served_release: int | None = None
    subvolumes: int = 0
    subvolumes_missing_limit: int = 0
    figures: tuple[ReportFigure, ...] = ()
    trends: tuple[Trend, ...] = ()
    maps: tuple[SubvolumeMap, ...] = ()
    worst_subvolumes: tuple[ReportSubvolume, ...] = ()
    changed_subvolumes: tuple[ReportSubvolume, ...] = ()
    places: tuple[Place, ...] = ()
    largest: tuple[ReportBody, ...] = ()
    changed_bodies: tuple[ChangedBody, ...] = ()
    joins: Joins | None = None
    stitching: dict[str, int] = Field(default_factory=dict, description="Votes, by what became of them")
    waiting: Waiting = Waiting(publication=Publication.AUTOMATIC)
    images: Images = Images()
    links: dict[str, str] = Field(default_factory=dict, description="Address of each page about the run, by title")
    missing: tuple[str, ...] = ()
