"""What people decided about pairs of supervoxels of one segmentation; resolution follows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from emseg.config.base import Record
from emseg.geometry.supervoxel_ids import MAX_LABEL

SupervoxelId = Annotated[int, Field(ge=1, lt=MAX_LABEL)]


class EditKind(StrEnum):
    """`join`: one body, whatever the votes say. `part`: never one body. `undo`: this vote does not count."""

    JOIN = "join"
    PART = "part"
    UNDO = "undo"

    @classmethod
    def _missing_(cls, value: object) -> EditKind | None:
        return cls.UNDO if value == "drop" else None  # what stores hold that were written before November 2026


class Edit(Record):
    """One decision about two supervoxels, and why it was taken."""

    kind: EditKind
    first: SupervoxelId
    second: SupervoxelId
    why: str = Field(default="", max_length=200)


class Edits(Record):
    """All decisions about one segmentation, in the order in which they were taken."""

    edits: tuple[Edit, ...] = Field(default=(), max_length=100_000)
