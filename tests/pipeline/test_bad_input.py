"""Bad input is refused in the first task, with field, value and remedy; nothing is submitted and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from emseg.config import DvidConnection, RunParameters
from emseg.dvid import DvidServer, Node, RoiInstance, create_repo
from emseg.errors import EmsegError, PermanentError, TransientError
from emseg.geometry import Roi
from emseg.stages import DvidServices, resolve_run

pytestmark = pytest.mark.services


@pytest.fixture
def datasets(tmp_path: Path, dataset_files: Path):
    def changed(**changes: object) -> Path:
        document = yaml.safe_load((dataset_files / "demo.yaml").read_text()) | changes
        (tmp_path / "demo.yaml").write_text(yaml.safe_dump(document))
        return tmp_path

    return changed


def refused(folder: Path, server: DvidServer, **choices: object) -> str:
    with pytest.raises(PermanentError) as caught:
        resolve_run(RunParameters(dataset="demo", **choices), "run", folder, server)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segmentation": {"core_vox": [64, 64, 100]}}, ["core_vox = (64, 64, 100)", "multiples of 64"]),
        ({"segmentation": {"core_vox": [64, 64, 64], "halo_vox": [65, 20, 20]}}, ["halo", "larger than the core"]),
        ({"segmentation": {"halo_vox": [4, 20, 20]}}, ["halo_vox = (4, 20, 20)", "at least (20, 20, 20)"]),
        ({"segmentation": {"preset": "miracle"}}, ["miracle", "classical"]),
        ({"volume": {"node": "abcdef", "groundtruth": {"instance": "groundtruth"}}}, ["volume.node = abcdef"]),
        (
            {"volume": {"node": "e5e9", "grayscale": "nothing", "groundtruth": {"instance": "groundtruth"}}},
            ["volume.grayscale = nothing", "no such data instance", "grayscale"],
        ),
        (
            {"volume": {"node": "e5e9", "grayscale": "groundtruth", "groundtruth": {"instance": "groundtruth"}}},
            ["volume.grayscale = groundtruth", "a labelmap, not a uint8blk"],
        ),
        (
            {"volume": {"node": "e5e9", "groundtruth": {"instance": "grayscale"}}},
            ["volume.groundtruth.instance = grayscale", "groundtruth"],
        ),
        (
            {"volume": {"node": "e5e9", "roi": "nowhere", "groundtruth": {"instance": "groundtruth"}}},
            ["volume.roi = nowhere"],
        ),
        ({"limits": {"max_subvolumes": 3}}, ["limits.max_subvolumes = 3", "18"]),
    ],
)
def test_a_reference_or_value_that_cannot_work_is_named(datasets, volume, server, changes, words):
    message = refused(datasets(**changes), server)
    for word in words:
        assert word in message


def test_an_unknown_step_or_parameter_is_named_with_what_is_known(datasets, volume, server):
    steps = {
        "mask": {"name": "empty-region"},
        "predict": {"name": "inverted-grayscale"},
        "supervoxels": {"name": "dt-watershed"},
        "agglomerate": {"name": "mean-boundary", "parameters": {"treshold": 0.5}},
    }
    message = refused(datasets(segmentation={"pipeline": steps}), server)
    assert "treshold" in message
    steps["agglomerate"] = {"name": "median-boundary"}
    message = refused(datasets(segmentation={"pipeline": steps}), server)
    assert "median-boundary" in message
    assert "mean-boundary" in message


def test_a_node_that_is_still_open_is_refused(datasets, server):
    root = create_repo(server, "open", "still open", root="0be0" + "0" * 28)
    message = refused(datasets(volume={"node": root, "groundtruth": {"instance": "groundtruth"}}), server)
    assert root in message
    assert "commit" in message.lower()


def test_a_region_outside_the_data_is_refused_with_both_extents(datasets, volume, server):
    child = Node(server, volume.node).branch("roi-tests")
    region = RoiInstance(child, "faraway")
    region.create()
    region.write(Roi.of_blocks([(500, 500, 500)]))
    child.commit("a region far away")
    truth = {"instance": "groundtruth"}
    message = refused(datasets(volume={"node": child.uuid, "roi": "faraway", "groundtruth": truth}), server)
    assert "volume.roi = faraway" in message
    assert "(16000, 16000, 16000)" in message
    assert "(128, 192, 192)" in message


def test_an_unreachable_dvid_is_a_transient_error_that_names_the_server(datasets, volume):
    nowhere = DvidServer(DvidConnection(url="http://127.0.0.1:9"), attempts=1)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9"):
        resolve_run(RunParameters(dataset="demo"), "run", datasets(), nowhere)


@pytest.mark.airflow
def test_airflow_refuses_in_the_first_task_and_writes_nothing(airflow, trigger, services: DvidServices):
    """Kills a check that runs after the Spark job was submitted, and retries of what cannot succeed."""
    run = trigger({"dataset": "demo", "core_vox": [64, 64, 100]})
    assert run.ended() == "failed"
    tasks = run.tasks()
    assert tasks.pop("resolve") == "failed"
    assert set(tasks.values()) == {"upstream_failed"}
    assert run.tries()["resolve"] == 1
    assert "multiples of 64" in run.log("resolve")
    assert not list(run.folder.files())


@pytest.mark.airflow
def test_airflow_refuses_a_value_outside_the_form_before_a_run_exists(airflow):
    with pytest.raises(EmsegError, match="hopeful"):
        airflow.api.trigger("segment_volume", {"dataset": "demo", "stitch": "hopeful"})
