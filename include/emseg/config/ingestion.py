"""What a person chooses for an ingestion on Spark, and what the task `pin` makes of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from emseg.config.base import InstanceName, NodeReference, Record
from emseg.config.runspec import digest_of

Edge = Annotated[float, Field(gt=0)]
Position = Annotated[int, Field(ge=0)]
GrayValue = Annotated[int, Field(ge=-32768, le=65535)]

KEY_DIGITS = 32

INGEST = "ingest"
"""The stage, which has one phase. In the store `INGESTIONS` stands where the name of a dataset stands."""


class IngestParameters(Record):
    """The form of the DAG `ingest_volume`; what is left empty is as the source says."""

    source: str = Field(
        min_length=1,
        max_length=2000,
        pattern=r"^[^\x00-\x1f]+$",
        description="File, folder or address (https, s3, gs) that all workers can open; :NAME for an array inside",
    )
    node: NodeReference = Field(description="Open DVID version to write to: UUID, or UUID:branch")
    instance: InstanceName | None = Field(
        default=None, description="DVID instance, made where there is none: grayscale, or groundtruth for labels"
    )
    kind: Literal["grayscale", "labels"] = Field(default="grayscale", description="What the voxels are")
    voxel_size_nm: tuple[Edge, Edge, Edge] | None = Field(default=None, description="Size of a voxel, nm, Z Y X")
    offset_vox: tuple[Position, Position, Position] | None = Field(
        default=None, description="Position of the first voxel, voxels Z Y X"
    )
    window: tuple[GrayValue, GrayValue] | None = Field(
        default=None, description="Gray values that become 0 and 255, for grayscale of 16 bits"
    )
    max_scale: int = Field(default=2, ge=0, le=4, description="Coarser scales to make: 2 halves the resolution twice")
    missing_chunks: Literal["refuse", "empty"] = Field(
        default="refuse", description="What a chunk is that is not there: an error, or empty"
    )
    gaps: Literal["refuse", "blank", "close"] = Field(
        default="refuse", description="What stands for sections of a folder whose numbers are missing"
    )
    overrule_file: bool = Field(default=False, description="Go by the form where the file says otherwise")

    @property
    def target(self) -> str:
        """Name of the instance that is written to."""
        return self.instance or ("groundtruth" if self.kind == "labels" else "grayscale")


class IngestSpec(Record):
    """An ingestion with every reference pinned: `node` is a full UUID, place and size are those that count.

    `source_digest` is that of what the source told of itself, `code` the version of the code that writes bricks.
    `turn` counts the ingestions to the instance: markers of an earlier turn say nothing of what is in DVID now.
    """

    source: str
    source_digest: str
    missing_chunks: Literal["refuse", "empty"]
    gaps: Literal["refuse", "blank", "close"] = "refuse"
    node: str
    instance: InstanceName
    kind: Literal["grayscale", "labels"]
    shape_vox: tuple[int, int, int]
    voxel_size_nm: tuple[float, float, float]
    offset_vox: tuple[int, int, int]
    window: tuple[int, int] | None
    max_scale: int
    code: str
    turn: int = 0

    @property
    def key(self) -> str:
        """Same key, same voxels in DVID: the digest of all of it."""
        document: JsonValue = self.model_dump(mode="json")
        return digest_of(document)[:KEY_DIGITS]
