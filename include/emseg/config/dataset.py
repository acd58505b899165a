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
    model_validator,
)

from emseg.config.alerts import AlertPolicy
from emseg.config.base import (
    BESIDE_DATASETS,
    BodyIds,
    Core3,
    InstanceName,
    Margin3,
    Name,
    NodeReference,
    Record,
    validated,
)
from emseg.config.checks import ImageChecks
from emseg.config.documents import yaml_document
from emseg.config.gate import GatePolicy
from emseg.config.groundtruth import NO_GROUNDTRUTH, GroundTruth
from emseg.config.pipeline import ModelDigest, PipelineConfig
from emseg.config.resources import JobResources
from emseg.config.stitching import Stitching
from emseg.errors import PermanentError
from emseg.geometry.coordinate import Coordinate
from emseg.geometry.supervoxel_ids import MAX_CELLS

Schedule = Annotated[
    str,
    Field(pattern=r"^(@(once|hourly|daily|weekly|monthly|quarterly|yearly)|[0-9A-Za-z*/,-]+( [0-9A-Za-z*/,#?-]+){4})$"),
]
"""An Airflow preset, or the five fields of a cron expression."""


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


class Output(Record):
    """The labelmap written on the run's own branch, with `max_scale` downsampled levels (viewers need one).

    `preserve_bodies`, ascending, are bodies of the instance as the segmented version has it: they stay as they are.
    """

    instance: InstanceName = "segmentation"
    max_scale: int = Field(default=2, ge=1, le=4)
    preserve_bodies: BodyIds = ()


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
