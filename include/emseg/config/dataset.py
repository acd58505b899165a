"""One dataset file (`include/datasets/NAME.yaml`): where the volume is, how it is segmented, judged and scheduled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from emseg.config.alerts import AlertPolicy
from emseg.config.base import BESIDE_DATASETS, Core3, Margin3, Name, Record, validated
from emseg.config.checks import ImageChecks
from emseg.config.documents import yaml_document
from emseg.config.pipeline import ModelDigest, PipelineConfig
from emseg.config.resources import JobResources
from emseg.errors import PermanentError
from emseg.geometry.coordinate import Coordinate
from emseg.geometry.supervoxel_ids import MAX_CELLS, MAX_LABEL

NodeReference = Annotated[str, Field(pattern=r"^[0-9a-f]{4,32}(:[A-Za-z0-9_-]{1,63})?$")]
"""A DVID version: a UUID or unique prefix, or `UUID:branch` for the newest committed node of a branch."""

InstanceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]


Schedule = Annotated[
    str,
    Field(pattern=r"^(@(once|hourly|daily|weekly|monthly|quarterly|yearly)|[0-9A-Za-z*/,-]+( [0-9A-Za-z*/,#?-]+){4})$"),
]
"""An Airflow preset, or the five fields of a cron expression."""


class StitchMode(StrEnum):
    """Which overlaps join bodies of neighbouring subvolumes (rules: `emseg.stitch.modes`)."""

    NONE = "none"
    CONSERVATIVE = "conservative"
    MEDIUM = "medium"
    AGGRESSIVE = "aggressive"
    IOU = "iou"


class Publication(StrEnum):
    """What publishes a result that the gate passes, from the loosest to the strictest.

    `automatic`: the run itself. `approval`: a person who has seen the figures. `never`: nobody, the run only measures.
    """

    AUTOMATIC = "automatic"
    APPROVAL = "approval"
    NEVER = "never"

    def is_stricter_than(self, other: Publication) -> bool:
        """Whether less is published this way."""
        order = list(Publication)
        return order.index(self) > order.index(other)


UserId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$")]
"""A user as Airflow's auth manager names him: the user name, or with the FAB auth manager the number."""


class Unassigned(StrEnum):
    """What the voxels count as that a segmentation leaves unassigned (label 0) and that have ground truth.

    Example: a body of 8 voxels, of which 4 are segment 5 and 4 are unassigned. `segment`: it is cut in two halves.
    `singletons`: it is cut in one half and four single voxels.
    """

    SEGMENT = "segment"
    SINGLETONS = "singletons"


BodyId = Annotated[int, Field(ge=1, lt=MAX_LABEL)]
BodyIds = Annotated[tuple[BodyId, ...], AfterValidator(lambda ids: tuple(sorted(set(ids))))]
"""Ids of bodies, ascending."""


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


def _none_is_none(value: object) -> object:
    return None if value == NO_GROUNDTRUTH else value


class Volume(Record):
    """What is segmented: a committed DVID version, its grayscale, its ground truth, an optional ROI.

    `groundtruth: none` says that there is none: a result is then judged by what is counted over all of the volume.
    """

    node: NodeReference
    grayscale: InstanceName = "grayscale"
    roi: InstanceName | None = None
    groundtruth: Annotated[GroundTruth | None, BeforeValidator(_none_is_none)]


class Segmentation(Record):
    """How the volume is cut and which steps run; `pipeline` in place of a preset spells the steps out.

    `model` is used by every trained step that names none of its own. Without `halo_vox` the halo is what the steps ask
    for.
    """

    preset: Name = "classical"
    pipeline: PipelineConfig | None = None
    model: ModelDigest | None = None
    core_vox: Core3 = (256, 256, 256)
    halo_vox: Margin3 | None = None
    checks: ImageChecks = ImageChecks()

    @model_validator(mode="after")
    def _halo_within_core(self) -> Segmentation:
        if self.halo_vox is not None and not Coordinate.of(self.halo_vox).is_within(self.core_vox):
            raise ValueError(
                f"the halo {self.halo_vox} is larger than the core {self.core_vox} on an axis, so a subvolume would "
                "overlap more than its neighbours"
            )
        return self


class Constraints(Record):
    """What weak joins must not do (rules: `emseg.stitch.constraints`); `null` switches a constraint off."""

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


class Output(Record):
    """The labelmap written on the run's own branch, with `max_scale` downsampled levels (viewers need one).

    `preserve_bodies`, ascending, are bodies of the instance as the segmented version has it: they stay as they are.
    """

    instance: InstanceName = "segmentation"
    max_scale: int = Field(default=2, ge=1, le=4)
    preserve_bodies: BodyIds = ()


Worsening = Annotated[float | None, Field(ge=0)]
"""How much worse a figure may be, in its own unit; `null`: it is not compared."""


class Regression(Record):
    """How much worse than the served release a result may be, on the same ground truth and in the same region.

    Each field is named like the limit of `GatePolicy` that it goes with, or `vi`: VI split + merge. What all these
    numbers mean is in docs/datasets.md. All `null`: nothing is compared.
    """

    vi: Worsening = 0.05
    vi_split: Worsening = None
    vi_merge: Worsening = 0.1
    are: Worsening = 0.02
    largest_body_share: Worsening = 0.05
    assigned_share: Worsening = 0.02

    @property
    def compares(self) -> bool:
        """Whether there is anything to compare."""
        return any(value is not None for value in dict(self).values())


class HistoryPolicy(Record):
    """How a result is held to the last results of its dataset that passed on the same ground truth and region.

    It may be worse than their median by `mads` median absolute deviations (as sigmas), or by what `regression` allows
    if that is more. Nothing is compared until there are `last` results; `mads: null` switches it off.
    """

    last: int = Field(default=8, ge=3, le=1000)
    mads: Worsening = 4.0


class EverywhereRegression(Record):
    """How much worse than the served release a result may be in what is counted over all of the volume.

    `bodies` and `body_size_um3` are judged by their growth: 1 is twice as much. The others are differences of shares.
    """

    bodies: Worsening = 1.0
    body_size_um3: Worsening = 1.0
    largest_body_share: Worsening = 0.1
    orphan_share: Worsening = 0.1
    seam_excess: Worsening = 0.1
    unlabelled_share: Worsening = 0.05
    failed_share: Worsening = None
    quarantined_share: Worsening = 0.05
    parked_share: Worsening = None

    @property
    def compares(self) -> bool:
        """Whether there is anything to compare."""
        return any(value is not None for value in dict(self).values())


Bound = Annotated[float | None, Field(ge=0)]
"""The most that is allowed; `null`: the figure is told and kept, and has no limit."""
Share = Annotated[float | None, Field(ge=0, le=1)]
"""The same, of a share."""


class Everywhere(Record):
    """Limits of what is counted over all of the volume, with ground truth or without.

    Each limit is named like the figure of `emseg.evaluate.survey` that it is about.
    """

    bodies_max: Bound = None
    body_size_um3_max: Bound = None
    largest_body_share_max: Share = 0.5
    orphan_share_max: Share = None
    seam_excess_max: Share = 0.5
    unlabelled_share_max: Share = 0.9
    failed_share_max: Share = None
    quarantined_share_max: Share = 0.5
    parked_share_max: Share = None
    orphan_um3: float = Field(
        default=0.5, ge=0, le=1e9, description="Bodies up to this size are orphans if they reach no face of the volume"
    )
    regression: EverywhereRegression = EverywhereRegression()

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by the name of their figure."""
        named = {name.removesuffix("_max"): value for name, value in dict(self).items() if name.endswith("_max")}
        return {name: float(value) for name, value in named.items() if value is not None}


class FigurePolicy(Record):
    """What the gate asks of a figure that a dataset need not have; `null`: it is told and kept, and not judged."""

    limit: float | None = Field(default=None, ge=0, description="The most, or where more is better the least")
    regression: Worsening = Field(
        default=None, description="How much worse than the served release and the last results, in the figure's unit"
    )


class GatePolicy(Record):
    """Limits that a result must keep to be published; bits for VI, shares of all voxels for the others."""

    vi_split_max: float = Field(default=2.0, ge=0, description="Over-segmentation, bits")
    vi_merge_max: float = Field(default=1.0, ge=0, description="Under-segmentation, bits")
    are_max: float = Field(default=0.5, ge=0, le=1, description="Adapted Rand error")
    largest_body_share_max: float = Field(default=0.9, gt=0, le=1, description="Largest body, share of labelled voxels")
    assigned_share_min: float = Field(default=0.5, ge=0, le=1, description="Labelled share of the ground-truth voxels")
    subvolume_vi_max: float = Field(default=6.0, ge=0, description="VI split + merge of any one subvolume, bits")
    regression: Regression = Regression()
    history: HistoryPolicy = HistoryPolicy()
    everywhere: Everywhere = Everywhere()
    metrics: tuple[Name, ...] = Field(default=(), description="Metrics of allowed packages that measure the result")
    figures: dict[Name, FigurePolicy] = Field(
        default_factory=dict, description="By name, figures of edits, synapses, skeletons and plugins"
    )

    @property
    def measures_served(self) -> bool:
        """Whether the served release is measured against the ground truth, too."""
        return self.regression.compares or any(each.regression is not None for each in self.figures.values())

    @property
    def compares(self) -> bool:
        """Whether anything is compared with the served release."""
        return self.measures_served or self.everywhere.regression.compares

    @property
    def limits(self) -> dict[str, float]:
        """The limits of the result itself, by name."""
        return {name: value for name, value in dict(self).items() if isinstance(value, float)}


class Limits(Record):
    """Caps on one run, refused before anything is submitted."""

    max_subvolumes: int = Field(default=100_000, ge=1, le=MAX_CELLS)
    max_voxels: int = Field(default=10**13, ge=1, le=10**18)
    max_failed_share: float = Field(
        default=0.01, ge=0, lt=1, description="Share of subvolumes that may fail for good and stay empty"
    )
    max_task_memory_mb: int = Field(default=16_384, ge=1, le=2**24, description="Memory of one segmentation task, MiB")


class Watch(Record):
    """When what is served is measured again, if its ground truth or its proofreading has changed by then."""

    schedule: Schedule = Field(description="When to look")
    proofread: NodeReference | None = Field(
        default=None, description="UUID:branch whose newest committed version holds the proofreading; null: not watched"
    )


def _is_no_other_folder(name: str) -> str:
    if name in BESIDE_DATASETS:
        raise ValueError(
            f"emseg keeps other things in the store under this name; use none of {', '.join(BESIDE_DATASETS)}"
        )
    return name


DatasetName = Annotated[Name, AfterValidator(_is_no_other_folder)]


class Dataset(Record):
    """A dataset file. `schedule` is a cron expression or an Airflow preset such as `@daily`; none means by hand."""

    name: DatasetName
    description: str
    volume: Volume
    segmentation: Segmentation = Segmentation()
    stitching: Stitching = Stitching()
    output: Output = Output()
    gate: GatePolicy = GatePolicy()
    limits: Limits = Limits()
    publication: Publication = Publication.AUTOMATIC
    approvers: tuple[UserId, ...] = Field(default=(), description="Who may approve; none: whoever may edit DAG runs")
    alerts: AlertPolicy = AlertPolicy()
    spark: dict[Name, JobResources] = Field(default_factory=dict, description="What the job of each stage gets")
    schedule: Schedule | None = None
    watch: Watch | None = Field(default=None, description="Measures what is served again when its ground truth changes")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_forgotten(cls, given: object) -> object:
        volume = given.get("volume") if isinstance(given, Mapping) else None
        if isinstance(volume, Mapping) and "groundtruth" in volume and volume["groundtruth"] is None:
            raise ValueError("volume.groundtruth is empty: write `none` where there is no ground truth")
        return given

    @model_validator(mode="after")
    def _something_judges(self) -> Dataset:
        if self.volume.groundtruth is None and not self.gate.everywhere.limits:
            raise ValueError(
                "without ground truth a result is judged by gate.everywhere alone, and all of its limits are null"
            )
        return self

    @model_validator(mode="after")
    def _there_is_something_to_watch(self) -> Dataset:
        if self.watch is not None and self.volume.groundtruth is None:
            raise ValueError(
                "watch: with `groundtruth: none` there is nothing to watch. Leave `watch` out, or name a ground truth"
            )
        return self


def datasets_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the dataset files: EMSEG_DATASETS, or `include/datasets` beside the package."""
    return Path(environment.get("EMSEG_DATASETS") or Path(__file__).parents[2] / "datasets")


def dataset_names(folder: Path) -> list[str]:
    """Names of the dataset files in `folder`, sorted."""
    return sorted(_files(folder))


def load_dataset(folder: Path, name: str) -> Dataset:
    """The dataset called `name`; PermanentError for an unknown one, a file that cannot be read, or a bad field."""
    files = _files(folder)
    found = files.get(name, [])
    if len(found) != 1:
        several = f"its file is there {len(found)} times: {', '.join(path.name for path in found)}"
        raise PermanentError(
            "loading the dataset file",
            name,
            several if found else "no such dataset",
            "Keep one of them" if found else f"Known: {', '.join(sorted(files)) or f'none in {folder}'}",
        )
    document = yaml_document(found[0], "reading the dataset file")
    dataset = validated(Dataset, document.value, "checking the dataset file", found[0].name, document.lines)
    if dataset.name != name:
        raise PermanentError(
            "checking the dataset file", found[0].name, f"name is {dataset.name!r}", "Name the file after the dataset"
        )
    return dataset


def _files(folder: Path) -> dict[str, list[Path]]:
    """The dataset files by name; `Brain.YML` is that of `brain`. Hidden files, as a Mac leaves them, are none."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*")):
        if path.suffix.lower() in {".yaml", ".yml"} and not path.name.startswith("."):
            files.setdefault(path.stem.lower(), []).append(path)
    return files
