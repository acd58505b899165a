"""A model: a folder of plain files (JSON, LightGBM text, ONNX; never a pickle), identified by a digest of its contents.

`model.json` describes the files. A step reads its own section of it and the files that the section names; it does not
learn whether the folder came from `emseg train`, from a person, or from the object store.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, JsonValue, PositiveFloat

from emseg.config.base import Record, validated
from emseg.config.runspec import digest_of
from emseg.disk import replacing_folder
from emseg.errors import PermanentError

DESCRIPTION = "model.json"
MODEL_VERSION = 1
"""Version of the stored form; a model of another version is refused."""

_LARGEST_BYTES = 4 << 30
"""Of one file. It goes into the store by one conditional request, which S3 allows for 5 GB at most."""

VOXEL_SIZE_TOLERANCE = 0.1

S = TypeVar("S", bound=BaseModel)
VoxelSize = tuple[float, float, float]


class TrainingRegion(Record):
    """Voxels that a model was trained on: a box, ZYX, of a grayscale `dvid:ROOT/INSTANCE` or `file:SHA-256`."""

    source: str
    start: tuple[int, int, int]
    stop: tuple[int, int, int]


def dvid_source(root: str, instance: str) -> str:
    """Name of a grayscale in DVID, the same for all versions: `dvid:ROOT/INSTANCE`."""
    return f"dvid:{root}/{instance}"


def file_source(grayscale: npt.NDArray[np.uint8]) -> str:
    """Name of the grayscale of a file, the same for every copy: `file:` and the SHA-256 of its voxels."""
    return f"file:{sha256(np.ascontiguousarray(grayscale).tobytes()).hexdigest()}"


class TrainingRecord(Record):
    """How a model was made. The figures are out of fold: no voxel was scored by a forest that was trained on it."""

    preset: str
    seed: int
    regions: tuple[TrainingRegion, ...]
    figures: dict[str, float]


class ModelDescription(Record, allow_inf_nan=False):
    """The contents of `model.json`. `sections` has one entry for each step that reads the model."""

    format: Literal["emseg-model"] = "emseg-model"
    version: Literal[1] = 1
    voxel_size_nm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        description="Voxel size that it was made for, nm, Z Y X"
    )
    training: TrainingRecord | None = None
    sections: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ModelFolder:
    """The files of a model by name. Equal files have equal digests, wherever the folder is."""

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, description: ModelDescription, files: Mapping[str, bytes]) -> ModelFolder:
        """A folder of `files` and the description of them."""
        text = json.dumps(description.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
        return cls({**files, DESCRIPTION: text.encode()})

    @classmethod
    def read(cls, folder: Path) -> ModelFolder:
        """The model in a folder on disk.

        PermanentError without a readable `model.json`, and for what a digest would not cover: folders in it, links
        out of it, hidden files, and files above 4 GiB.
        """
        if not (folder / DESCRIPTION).is_file():
            raise _unusable(str(folder), f"there is no file {DESCRIPTION}")
        paths = sorted(folder.iterdir())
        _require_plain_files(folder, paths)
        model = cls({path.name: path.read_bytes() for path in paths})
        model.description  # noqa: B018 - read now, so that another folder is refused by its name
        return model

    def write(self, folder: Path) -> None:
        """Make `folder` hold these files and nothing else, in one step: a kill leaves the old folder as it was.

        PermanentError for a full disk or a place that cannot be written.
        """
        with replacing_folder(folder, sum(map(len, self.files.values()))) as new:
            for name, data in self.files.items():
                (new / name).write_bytes(data)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and contents, 64 hex digits."""
        return digest_of({name: sha256(data).hexdigest() for name, data in self.files.items()})

    @cached_property
    def description(self) -> ModelDescription:
        """The contents of `model.json`; PermanentError for another format or version."""
        try:
            document = json.loads(self.files[DESCRIPTION], object_pairs_hook=_each_key_once)
        except (KeyError, ValueError, RecursionError) as error:
            fault = f"{DESCRIPTION} is missing or no JSON ({type(error).__name__}: {error})"
            raise _unusable(self.digest[:12], fault) from None
        found = document.get("version") if isinstance(document, dict) else None
        if found != MODEL_VERSION:
            raise _unusable(self.digest[:12], f"it has version {found}, and this emseg reads version {MODEL_VERSION}")
        return validated(ModelDescription, document, "reading a model", f"{DESCRIPTION} of {self.digest[:12]}")

    def section(self, name: str, kind: type[S]) -> S:
        """The section of `model.json` for one reader; PermanentError if it is missing or malformed."""
        sections = self.description.sections
        if name not in sections:
            raise _unusable(self.digest[:12], f"it has no section `{name}`, only {', '.join(sorted(sections))}")
        return validated(kind, sections[name], "reading a model", f"section {name} of {self.digest[:12]}")

    def file(self, name: str) -> bytes:
        """The bytes of one file; PermanentError if the folder has none of this name."""
        if name not in self.files:
            raise _unusable(self.digest[:12], f"the file {name}, which its description names, is missing")
        return self.files[name]


def require_voxel_size(model: ModelFolder, voxel_size_nm: VoxelSize, step: str) -> None:
    """PermanentError when the voxels of the tissue differ by more than a tenth from those that the model is for."""
    trained = model.description.voxel_size_nm
    if any(abs(a / b - 1) > VOXEL_SIZE_TOLERANCE for a, b in zip(voxel_size_nm, trained, strict=True)):
        raise PermanentError(
            "preparing a segmentation step",
            f"step {step}, model {model.digest[:12]}",
            f"the voxels are {voxel_size_nm} nm (ZYX), and the model is for {trained} nm",
            "Train a model on this tissue, or choose a scale of the grayscale that fits",
        )


def _require_plain_files(folder: Path, paths: Sequence[Path]) -> None:
    for path in paths:
        fault = ""
        if path.name.startswith("."):
            fault = "is a hidden file, which belongs to no model: remove it"
        elif not path.is_file():
            fault = "is no file: a model has no folders in it"
        elif path.resolve().parent != folder.resolve():
            fault = "is a link out of the folder: copy the file in its place"
        elif path.stat().st_size > _LARGEST_BYTES:
            fault = "is larger than 4 GiB"
        if fault:
            raise PermanentError("reading a model", str(folder), f"{path.name} {fault}", "Correct the folder")


def _each_key_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"twice: {', '.join(twice)}")
    return dict(pairs)


def _unusable(on: str, found: str) -> PermanentError:
    return PermanentError("reading a model", on, found, "Give a folder that `emseg train` of this version has written")
