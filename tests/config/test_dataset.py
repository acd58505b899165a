"""Dataset files: what is accepted, and errors that name field, value and remedy."""

from pathlib import Path

import pytest
import yaml
from tests.refusals import refused

from emseg.config import RunParameters, StitchMode, dataset_names, datasets_folder, load_dataset
from emseg.config.base import BESIDE_DATASETS, validated
from emseg.config.gate import Everywhere
from emseg.errors import PermanentError

GOOD = {
    "name": "brain",
    "description": "a test",
    "volume": {"node": "abcd", "groundtruth": {"instance": "gt"}},
}


def folder_with(tmp_path: Path, **changes: object) -> Path:
    (tmp_path / "brain.yaml").write_text(yaml.safe_dump(GOOD | changes))
    return tmp_path


def test_every_dataset_file_of_the_project_is_valid():
    folder = datasets_folder()
    assert "demo" in dataset_names(folder)
    for name in dataset_names(folder):
        assert load_dataset(folder, name).name == name


def test_an_unknown_dataset_is_refused_with_the_names_that_are_known(tmp_path):
    with refused(PermanentError, "brian", "brain"):
        load_dataset(folder_with(tmp_path), "brian")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"segmentation": {"core_vox": [64, 64]}}, "segmentation.core_vox"),
        ({"segmentation": {"core_vox": [0, 64, 64]}}, "segmentation.core_vox.0 = 0"),
        ({"segmentation": {"halo": [1, 1, 1]}}, "segmentation.halo"),
        ({"stitching": {"mode": "hopeful"}}, "stitching.mode = 'hopeful'"),
        ({"gate": {"are_max": 2}}, "gate.are_max = 2"),
        ({"volume": {"node": "abcd; rm -rf /", "groundtruth": {"instance": "gt"}}}, "volume.node"),
        ({"volume": {"node": "abcd"}}, "volume.groundtruth"),
        ({"segmentation": {"pipeline": {"mask": {"name": "empty-region"}}}}, "segmentation.pipeline"),
        ({"output": {"instance": "a/b"}}, "output.instance"),
        ({"output": {"preserve_bodies": [5, 0]}}, "output.preserve_bodies.1 = 0"),
        ({"output": {"preserve_bodies": [2**48]}}, "output.preserve_bodies.0 = 281474976710656"),
        ({"volume": {"node": "abcd", "groundtruth": {"instance": "gt", "bodies": [0]}}}, "groundtruth.bodies.0 = 0"),
        (
            {"volume": {"node": "abcd", "groundtruth": {"instance": "gt", "ignore_boundary_nm": -1}}},
            "groundtruth.ignore_boundary_nm = -1",
        ),
        ({"volume": {"node": "abcd", "groundtruth": {"instance": "gt", "scale": 5}}}, "groundtruth.scale = 5"),
        ({"output": {"preserve_bodies": 5}}, "output.preserve_bodies = 5"),
    ],
)
def test_a_bad_field_is_named_with_its_value(tmp_path, changes, field):
    """Kills validation that lets an unknown or impossible field pass silently."""
    with refused(PermanentError, "brain.yaml", field):
        load_dataset(folder_with(tmp_path, **changes), "brain")


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"gate": {"vi_max": 1}}, "here: vi_split_max, vi_merge_max,"),
        ({"gate": {"everywhere": {"regression": {"body": 1}}}}, "here: bodies, body_size_um3,"),
        ({"volume": {"node": "abcd", "groundtruth": {"instance": "gt", "skale": 1}}}, "min_body_vox, scale,"),
        ({"gaet": {}}, "here: name, description,"),
    ],
)
def test_the_fields_that_are_told_are_those_of_the_section(tmp_path, changes, accepted):
    """Kills the list of all sections as advice for a field that is misspelt in one of them."""
    with refused(PermanentError, accepted):
        load_dataset(folder_with(tmp_path, **changes), "brain")


def test_a_file_must_be_named_after_its_dataset(tmp_path):
    with refused(PermanentError, "brain.yaml", "'other'"):
        load_dataset(folder_with(tmp_path, name="other"), "brain")


@pytest.mark.parametrize("name", BESIDE_DATASETS)
def test_no_dataset_shares_a_folder_of_the_store_with_something_else(tmp_path, name):
    """Kills a dataset `models`: housekeeping would never look at it, and its runs would lie among the models."""
    (tmp_path / f"{name}.yaml").write_text(folder_with(tmp_path, name=name).joinpath("brain.yaml").read_text())
    with refused(PermanentError, f"{name}.yaml", "name", *BESIDE_DATASETS):
        load_dataset(tmp_path, name)


def test_yaml_that_would_build_objects_is_refused(tmp_path):
    (tmp_path / "brain.yaml").write_text("!!python/object/apply:os.system ['true']")
    with refused(PermanentError, "brain.yaml", "python/object/apply:os.system"):
        load_dataset(tmp_path, "brain")


def test_choices_of_a_run_replace_those_of_the_dataset_and_leave_the_rest(tmp_path):
    dataset = load_dataset(folder_with(tmp_path), "brain")
    chosen = RunParameters(dataset="brain", node="ef01", stitch=StitchMode.NONE, core_vox=(64, 64, 64))
    changed = chosen.applied_to(dataset)
    assert (changed.volume.node, changed.stitching.mode, changed.segmentation.core_vox) == (
        "ef01",
        "none",
        (64, 64, 64),
    )
    assert changed.volume.groundtruth == dataset.volume.groundtruth
    assert changed.gate == dataset.gate


def test_a_run_cannot_loosen_its_own_gate():
    """Kills a gate that the person who triggers can open."""
    with refused(PermanentError, "gate"):
        validated(RunParameters, {"dataset": "brain", "gate": {"are_max": 1}}, "checking", "a run")


def test_parameters_of_single_steps_are_set_for_a_run_and_the_rest_stay(tmp_path):
    """Kills a threshold that replaces the whole pipeline, and a kind that is misspelt in silence."""
    dataset = load_dataset(folder_with(tmp_path), "brain")
    chosen = RunParameters(dataset="brain", step_parameters={"agglomerate": {"threshold": 0.6}}).applied_to(dataset)
    assert chosen.segmentation.pipeline.agglomerate.parameters == {"threshold": 0.6}
    assert chosen.segmentation.pipeline.predict.name == "inverted-grayscale"
    with refused(PermanentError, "step_parameters.aglomerate", "mask", "predict", "supervoxels", "agglomerate"):
        RunParameters(dataset="brain", step_parameters={"aglomerate": {}}).applied_to(dataset)


def test_another_preset_for_a_run_brings_its_own_halo(tmp_path):
    dataset = load_dataset(folder_with(tmp_path, segmentation={"halo_vox": [20, 20, 20]}), "brain")
    assert RunParameters(dataset="brain").applied_to(dataset).segmentation.halo_vox == (20, 20, 20)
    assert RunParameters(dataset="brain", preset="best").applied_to(dataset).segmentation.halo_vox is None
    given = RunParameters(dataset="brain", preset="best", halo_vox=(41, 41, 41)).applied_to(dataset)
    assert given.segmentation.halo_vox == (41, 41, 41)


def test_a_dataset_says_that_it_has_no_ground_truth_and_then_something_else_must_judge(tmp_path):
    """Kills `none` as the name of an instance, a forgotten value taken for none, and a gate or watch of nothing."""
    none = {"node": "abcd", "groundtruth": "none"}
    dataset = load_dataset(folder_with(tmp_path, volume=none), "brain")
    assert dataset.volume.groundtruth is None
    assert RunParameters(dataset="brain", node="ef01").applied_to(dataset).volume.groundtruth is None
    nothing = {name: None for name in Everywhere.model_fields if name.endswith("_max")}
    with refused(PermanentError, "all of its limits are null"):
        load_dataset(folder_with(tmp_path, volume=none, gate={"everywhere": nothing}), "brain")
    with refused(PermanentError, "watch", "groundtruth: none"):
        load_dataset(folder_with(tmp_path, volume=none, watch={"schedule": "@daily"}), "brain")
    with refused(PermanentError, "volume.groundtruth is empty", "write `none`"):
        load_dataset(folder_with(tmp_path, volume={**none, "groundtruth": None}), "brain")
