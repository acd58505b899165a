"""How subvolumes are joined: the part `stitching` of a dataset file."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from emseg.config.base import Record


class StitchMode(StrEnum):
    """Which overlaps join bodies of neighbouring subvolumes (rules: `emseg.stitch.modes`)."""

    NONE = "none"
    CONSERVATIVE = "conservative"
    MEDIUM = "medium"
    AGGRESSIVE = "aggressive"
    IOU = "iou"


class Constraints(Record):
    """What weak joins must not do (rules: `emseg.stitch.joining`); `null` switches a constraint off."""

    kept_apart_nm2: float | None = Field(
        default=100_000, ge=0, description="Supervoxels of one subvolume that touch over so much of its core stay apart"
    )
    max_weak_um3: float | None = Field(default=10, ge=0, description="Largest volume of the smaller side, um3")
    max_weak_faces: int | None = Field(default=None, ge=0, le=6, description="Faces of the volume that a body reaches")
    max_weak_joins: int | None = Field(default=None, ge=0, le=10**9, description="Weak joins in one body")


class Stitching(Record):
    """Which votes join bodies. Overlaps of `min_overlap_nm3` or less never do; `iou_min` is for mode `iou`."""

    mode: StitchMode = StitchMode.AGGRESSIVE
    min_overlap_nm3: float = Field(default=50_000, ge=0)
    iou_min: float = Field(default=0.5, ge=0, le=1)
    constraints: Constraints = Constraints()
