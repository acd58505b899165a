"""What a result is measured against, and what of it counts: the part `volume.groundtruth` of a dataset file."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from emseg.config.base import BodyIds, InstanceName, NodeReference, Record


class Unassigned(StrEnum):
    """What the voxels count as that a segmentation leaves unassigned (label 0) and that have ground truth.

    Example: a body of 8 voxels, of which 4 are segment 5 and 4 are unassigned. `segment`: it is cut in two halves.
    `singletons`: it is cut in one half and four single voxels.
    """

    SEGMENT = "segment"
    SINGLETONS = "singletons"


class Counting(Record):
    """What of a ground truth counts, and how. It shapes every score, so it is in the key of phase `evaluate`."""

    unassigned: Unassigned = Field(
        default=Unassigned.SEGMENT, description="What label 0 of the segmentation counts as where there is ground truth"
    )
    ignore_boundary_nm: float = Field(
        default=0, ge=0, le=500, description="Voxels so near to one of another label, or of none, do not count"
    )
    bodies: BodyIds = Field(default=(), description="Bodies that count; none named: all")
    min_body_vox: int = Field(default=0, ge=0, le=10**15, description="Bodies with fewer counted voxels do not count")
    scale: int = Field(default=0, ge=0, le=4, description="Both labelmaps are compared at this scale")
    components: bool = Field(
        default=False, description="Measure against the connected components of bodies inside the region"
    )

    @model_serializer(mode="wrap")
    def _says_components_only_where_asked_for(self, given: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without components the same document as before there was a choice, so that histories go on."""
        document: dict[str, object] = given(self)
        if not self.components:
            document.pop("components", None)
        return document


NO_GROUNDTRUTH = "none"
"""What a dataset file, a release record and the history say where there is no ground truth."""


class SynapseCounting(Record):
    """How synapses are scored. It is in the key of phase `evaluate`."""

    pair_connections: int = Field(
        default=1, ge=1, le=1000, description="Connections from one body to another that make the two a connected pair"
    )
    orphan_points: int = Field(
        default=10, ge=1, le=10**6, description="Segments with fewer points at synapses are orphans"
    )


class Synapses(SynapseCounting):
    """A DVID `annotation` instance with synapses; `node` defaults to that of the ground truth."""

    instance: InstanceName
    node: NodeReference | None = None


class SkeletonUnit(StrEnum):
    """What the positions in SWC files are multiples of; tools around DVID write voxels."""

    VOXEL = "voxel"
    NM = "nm"


class Skeletons(Record):
    """A DVID `keyvalue` instance whose keys that end in `swc` hold skeletons; `node` defaults as that of synapses."""

    instance: InstanceName
    node: NodeReference | None = None
    unit: SkeletonUnit = SkeletonUnit.VOXEL


def has_bodies_at_synapses(components: bool, synapses: object) -> None:
    """ValueError where synapses are to be scored against components."""
    if components and synapses is not None:
        raise ValueError(
            "with `components: true` synapses cannot be scored: a connection is between bodies, and its points may lie "
            "in two components of one. Leave `synapses` out, or `components`"
        )


class GroundTruth(Counting):
    """A labelmap to measure against; `node` defaults to the node of the grayscale."""

    instance: InstanceName
    node: NodeReference | None = None
    synapses: Synapses | None = None
    skeletons: Skeletons | None = None

    @model_validator(mode="after")
    def _has_bodies_at_synapses(self) -> GroundTruth:
        has_bodies_at_synapses(self.components, self.synapses)
        return self
