"""Scores of two labelmaps as one JSON document: figures, edit distances, the worst bodies and where they are.

The same document comes from `emseg evaluate` on files and on DVID, and from the DAG `evaluate_segmentation`.
"""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from emseg.config.base import Record, VoxelSizeNm
from emseg.config.groundtruth import Counting, Unassigned
from emseg.evaluate import BODIES, ContingencyTable, TruthNames, edit_distances, per_body, score
from emseg.quality.findings import Findings, worst_findings

SCHEMA = 1


class Edits(Record):
    """The least merges and splits after which `share` of the voxels is right, or all of them that there are."""

    share: float
    merges: int
    splits: int
    right_share: float
    is_reached: bool


class Place(Record):
    """One of the worst bodies, in words; a voxel of it (Z Y X), and a link to neuroglancer there."""

    text: str
    position_vox: tuple[float, float, float] | None
    link: str | None


class WorstSubvolume(Record):
    """`bits` of VI that a subvolume, `start` to `stop` (voxels Z Y X, half-open), adds to that of the whole."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    bits: float


class Scores(Record):
    """What was compared, how, and what came out. Voxels are Z Y X; VI is in bits, shares are 0 to 1.

    A reader of schema 1 can rely on each field here; a change of one of them is another number.
    """

    schema_version: int = Field(default=SCHEMA, ge=SCHEMA, le=SCHEMA)
    segmentation: str
    groundtruth: str
    segmentation_supervoxels: bool = False
    groundtruth_supervoxels: bool = False
    server: str | None = Field(default=None, description="Address of the DVID server; none for files")
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    roi: str | None = None
    voxel_size_nm: VoxelSizeNm | None = None
    counting: Counting
    key: str | None = Field(default=None, description="Key of phase `evaluate`: same key, same figures")
    figures: dict[str, float]
    edits: tuple[Edits, ...]
    findings: Findings
    places: tuple[Place, ...] = Field(default=(), description="The findings, cut bodies first")
    subvolumes: tuple[WorstSubvolume, ...] = Field(default=(), description="The worst first")
    link: str | None = Field(default=None, description="Neuroglancer, the largest segments selected")

    @property
    def compared(self) -> str:
        """What was compared and where, in words: without a box the region is where both have voxels."""
        kinds = ("supervoxels of " * self.segmentation_supervoxels, "supervoxels of " * self.groundtruth_supervoxels)
        roi = "" if self.roi is None else f", inside the ROI {self.roi}"
        scale = f", at scale {self.counting.scale}" * bool(self.counting.scale)
        return (
            f"{kinds[0]}{self.segmentation} against {kinds[1]}{self.groundtruth}, "
            f"voxels {tuple(self.start)} to {tuple(self.stop)} (Z Y X){roi}{scale}"
        )


def figures_of(table: ContingencyTable, unassigned: Unassigned) -> dict[str, float]:
    """Each number of the `Score` of a table, VI as one number, and the mean of the segments that hold 90 % of a body.

    PermanentError for an empty table.
    """
    found = score(table, unassigned)
    return asdict(found) | {"vi": found.vi, "fragments": float(per_body(table, unassigned).fragments.mean())}


def edits_of(table: ContingencyTable) -> tuple[Edits, ...]:
    """The edit distances of a table."""
    return tuple(Edits(**asdict(each), is_reached=each.is_reached) for each in edit_distances(table))


def measured_fields(table: ContingencyTable, unassigned: Unassigned, names: TruthNames = BODIES) -> dict[str, object]:
    """The fields of `Scores` that follow from a table alone."""
    return {
        "figures": figures_of(table, unassigned),
        "edits": edits_of(table),
        "findings": worst_findings(table, unassigned=unassigned, names=names),
    }
