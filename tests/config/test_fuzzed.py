"""Fuzzed dataset files and run parameters: whatever is refused is refused in words, for good, and before any request.

EMSEG_FUZZ is the number of examples of each test: `EMSEG_FUZZ=10000 pytest tests/config/test_fuzzed.py`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unasked import UnaskedServer

from emseg.config import RunParameters
from emseg.config.base import validated
from emseg.dvid import DvidServer
from emseg.errors import PermanentError
from emseg.tasks.pin import pin_run

fuzzed = settings(max_examples=int(os.environ.get("EMSEG_FUZZ", "150")), deadline=None)

ISOLATION = {"timeout_s": 600, "memory_mb": 4096}
WHOLE: dict[str, Any] = {
    "name": "brain",
    "description": "every field of a dataset file",
    "volume": {
        "node": "3f2a",
        "grayscale": "gray",
        "roi": "roi",
        "groundtruth": {"instance": "gt", "node": "3f2a:main"},
    },
    "segmentation": {
        "preset": "classical",
        "core_vox": [128, 128, 128],
        "halo_vox": [30, 30, 30],
        "pipeline": {
            "mask": {"name": "empty-region", "parameters": {"levels": [0, 255], "thickness_vox": 3}},
            "predict": {
                "name": "inverted-grayscale",
                "parameters": {"sigma_nm": 10, "center_gray": 118.5, "width_gray": 12},
            },
            "supervoxels": {
                "name": "dt-watershed",
                "parameters": {"boundary_min": 0.35, "distance_cap_nm": 80, "smoothing_nm": 15, "min_size_nm3": 5e4},
            },
            "agglomerate": {"name": "mean-boundary", "parameters": {"threshold": 0.7}, "isolation": ISOLATION},
        },
        "checks": {"blank": "mask", "fill_sections": 3},
    },
    "stitching": {
        "mode": "iou",
        "min_overlap_nm3": 5e4,
        "iou_min": 0.5,
        "constraints": {"kept_apart_nm2": 1e5, "max_weak_um3": 10, "max_weak_faces": 2, "max_weak_joins": 9},
    },
    "output": {"instance": "out", "max_scale": 2, "preserve_bodies": [16777221, 83886091]},
    "gate": {"vi_split_max": 1.5, "vi_merge_max": 0.8, "are_max": 0.4, "largest_body_share_max": 0.5},
    "limits": {"max_subvolumes": 20000, "max_voxels": 5 * 10**11, "max_failed_share": 0.1, "max_task_memory_mb": 9999},
    "schedule": "0 2 * * *",
}
CHOICES: dict[str, Any] = {
    "dataset": "brain",
    "dry_run": False,
    "node": "3f2a",
    "roi": "roi",
    "preset": "classical",
    "model": "ab" * 32,
    "stitch": "medium",
    "step_parameters": {"agglomerate": {"threshold": 0.7}, "mask": {"levels": [0]}},
    "core_vox": [64, 64, 64],
    "halo_vox": [30, 30, 30],
}

IMPOSSIBLE: list[Any] = [nan, inf, -inf, "1e+400", -1, "a b/..;$(x)", "\ud800", [[]], {"no such field": 1}, [nan, 0, 0]]
"""No field takes any of these, but for texts in `description`."""

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**48, 10**30, -(10**400), *IMPOSSIBLE])
    | st.floats()
    | st.text(max_size=20)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)

Place = tuple[str | int, ...]


class Asked(BaseException):
    """The server was asked, so nothing was wrong with what can be known without it."""


class AskedServer(UnaskedServer):
    """Ends at the first request, and no `except Exception` takes it for a refusal."""

    def _once(self, *_: Any) -> NoReturn:
        raise Asked


def places(document: Any, at: Place = ()) -> Iterator[Place]:
    """Every place of a document but its root."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, value in parts:
        yield (*at, name)
        yield from places(value, (*at, name))


def with_value(document: Any, at: Place, value: Any) -> Any:
    """The document with another value at one place."""
    changed = copy.deepcopy(document)
    inner = changed
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = value
    return changed


def named(at: Place) -> str:
    """The name nearest to a place: a message that holds it has told which field is meant."""
    return next(name for name in reversed(at) if isinstance(name, str))


def pinned(folder: Path, choices: dict[str, Any], server: DvidServer) -> None:
    """What task `pin` does with the choices of a run, up to the first request."""
    parameters = validated(RunParameters, choices, "checking the run parameters", "a run")
    pin_run(parameters, "run", folder, server)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


def test_the_document_that_is_fuzzed_is_a_good_one(folder: Path) -> None:
    """Kills a fuzz that is refused for one and the same reason every time."""
    (folder / "brain.yaml").write_text(yaml.safe_dump(WHOLE))
    for choices in ({"dataset": "brain"}, CHOICES):
        with pytest.raises(Asked):
            pinned(folder, choices, AskedServer())


@fuzzed
@given(st.sampled_from(list(places(WHOLE))), st.sampled_from(IMPOSSIBLE))
def test_an_impossible_value_of_a_dataset_file_is_refused_by_its_name(folder: Path, at: Place, value: Any) -> None:
    """Kills a field without limits, and a check that comes after the first request."""
    if at == ("description",) and isinstance(value, str):
        value = -1
    (folder / "brain.yaml").write_text(yaml.safe_dump(with_value(WHOLE, at, value)))
    with pytest.raises(PermanentError) as refusal:
        pinned(folder, {"dataset": "brain"}, UnaskedServer())
    assert named(at) in str(refusal.value)


@fuzzed
@given(st.sampled_from(list(places(CHOICES))), st.sampled_from(IMPOSSIBLE))
def test_an_impossible_choice_for_a_run_is_refused_by_its_name(folder: Path, at: Place, value: Any) -> None:
    """Kills a choice that only the form checks: callers of the library and of the REST API do not use it."""
    (folder / "brain.yaml").write_text(yaml.safe_dump(WHOLE))
    with pytest.raises(PermanentError) as refusal:
        pinned(folder, with_value(CHOICES, at, value), UnaskedServer())
    assert named(at) in str(refusal.value)


@fuzzed
@given(st.lists(st.tuples(st.sampled_from(list(places(WHOLE))), ANYTHING), min_size=1, max_size=3))
@pytest.mark.fault("F19")
def test_any_values_are_taken_or_refused_in_words(folder: Path, changes: list[tuple[Place, Any]]) -> None:
    """Kills tracebacks of pydantic, YAML and Python."""
    document = WHOLE
    for at, value in changes:
        if at in places(document):
            document = with_value(document, at, value)
    (folder / "brain.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises((PermanentError, Asked)):
        pinned(folder, {"dataset": "brain"}, AskedServer())


@fuzzed
@given(st.dictionaries(st.sampled_from(list(CHOICES)) | st.text(max_size=5), ANYTHING, max_size=4))
@pytest.mark.fault("F19")
def test_any_choices_are_taken_or_refused_in_words(folder: Path, choices: dict[str, Any]) -> None:
    (folder / "brain.yaml").write_text(yaml.safe_dump(WHOLE))
    with pytest.raises((PermanentError, Asked)):
        pinned(folder, {"dataset": "brain", **choices}, AskedServer())


@fuzzed
@given(st.integers(0, 3000), st.integers(0, 60), st.binary(max_size=12) | st.text(max_size=6).map(str.encode))
@pytest.mark.fault("F19")
def test_any_damage_to_a_file_is_refused_in_words(folder: Path, at: int, cut: int, put: bytes) -> None:
    """Kills decoders and parsers whose own errors escape."""
    data = yaml.safe_dump(WHOLE).encode()
    (folder / "brain.yaml").write_bytes(data[:at] + put + data[at + cut :])
    with pytest.raises((PermanentError, Asked)):
        pinned(folder, {"dataset": "brain"}, AskedServer())
