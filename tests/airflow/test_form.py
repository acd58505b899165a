"""The run form agrees with the model that `pin` checks."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from pydantic import ValidationError

from emseg.config import RunParameters
from emseg.config.step_parameters import MeanBoundaryParameters
from emseg_airflow.form import form_params

PRESETS = ["classical"]

GOOD: list[tuple[str, Any]] = [
    ("dataset", "demo"),
    ("dry_run", True),
    ("node", "de30"),
    ("node", "de30000000000000000000000000de30:master"),
    ("roi", "mushroom-body"),
    ("preset", "classical"),
    ("stitch", "none"),
    ("stitch", "medium"),
    ("core_vox", [64, 128, 128]),
    ("halo_vox", [0, 20, 20]),
    ("step_parameters", {"agglomerate": {"threshold": 0.7}}),
    ("model", "0f" * 32),
]
BAD: list[tuple[str, Any]] = [
    ("dataset", "other"),
    ("dataset", None),
    ("dataset", "../demo"),
    ("dry_run", "perhaps"),
    ("node", "master"),
    ("node", "{{ var.value.secret }}"),
    ("roi", "a b"),
    ("preset", "unknown"),
    ("stitch", "aggressiv"),
    ("step_parameters", {"agglomerate": 3}),
    ("step_parameters", "threshold=0.7"),
    ("model", "newest"),
    ("core_vox", [64, 128]),
    ("core_vox", [64, 128, 0]),
    ("core_vox", [64, 128, 64.5]),
    ("core_vox", "64,128,128"),
    ("halo_vox", [-1, 20, 20]),
    ("halo_vox", [20, 20, 20, 20]),
]


def params() -> dict[str, Any]:
    return form_params(["demo", "hemibrain"], PRESETS)


def test_every_field_of_the_model_is_in_the_form_with_its_text() -> None:
    described = {name: param.description for name, param in params().items()}
    assert described == {name: field.description for name, field in RunParameters.model_fields.items()}


def test_what_may_be_left_empty_is_empty_and_the_dataset_must_be_chosen() -> None:
    """Kills a default dataset: a run of the wrong volume by pressing the button twice."""
    chosen = {name: param.resolve() for name, param in params().items() if name != "dataset"}
    assert chosen == RunParameters(dataset="demo").model_dump(exclude={"dataset"})
    with pytest.raises(ParamValidationError):
        params()["dataset"].resolve()


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_good_value_is_accepted_by_form_and_model(name: str, value: Any) -> None:
    assert params()[name].resolve(value) == value
    RunParameters(**{"dataset": "demo", name: value})


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_by_the_form(name: str, value: Any) -> None:
    """Kills a Param without the limits of the model: the run would start and fail in its first task."""
    with pytest.raises(ParamValidationError):
        params()[name].resolve(value)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, v in BAD if v not in ("other", "unknown")])
def test_the_model_refuses_the_same_for_callers_that_pass_the_form_by(name: str, value: Any) -> None:
    """The two values left out are names that only the folder and the registry know; `pin` looks them up."""
    with pytest.raises(ValidationError):
        RunParameters(**{"dataset": "demo", name: value})


def test_choices_are_dropdowns_that_can_be_left_empty() -> None:
    form = params()
    assert form["dataset"].schema["enum"] == ["demo", "hemibrain"]
    assert form["preset"].schema["enum"] == ["classical", None]
    assert form["stitch"].schema["enum"] == ["none", "conservative", "medium", "aggressive", "iou", None]


def test_sizes_are_in_the_advanced_section() -> None:
    sections = {name: param.schema.get("section") for name, param in params().items()}
    assert {name for name, section in sections.items() if section == "Advanced"} == {
        "step_parameters",
        "core_vox",
        "halo_vox",
    }


def test_a_fixed_dataset_cannot_be_exchanged() -> None:
    """Kills a scheduled DAG of one dataset that is triggered with the name of another."""
    form = form_params(["nightly"], PRESETS, fixed="nightly")
    assert form["dataset"].resolve() == "nightly"
    with pytest.raises(ParamValidationError):
        form["dataset"].resolve("demo")


def test_the_form_shows_the_parameters_of_the_steps_of_each_preset() -> None:
    """Kills a field that only its author can fill in."""
    shown = form_params(["demo"], ["classical", "best"])["step_parameters"].schema["description_md"]
    classical, best = shown.split("**best**")
    meaning = MeanBoundaryParameters.model_fields["threshold"].description
    assert f"- `agglomerate`: mean-boundary; `threshold` (number, 0.75): {meaning}" in classical
    assert "- `supervoxels`: dt-watershed; `boundary_min` (number, 0.4)" in best
    assert "learned-edges" in best
