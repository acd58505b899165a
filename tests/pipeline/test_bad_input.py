"""Bad input is refused in the first task, with field, value and remedy; nothing is submitted and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.refusals import refused

from emseg.config import DvidConnection, RunParameters
from emseg.dvid import BLOCK_VOX, DvidServer, Node, RoiInstance, create_repo
from emseg.errors import EmsegError, PermanentError, TransientError
from emseg.geometry import Roi
from emseg.phases.services import DvidServices
from emseg.tasks.pin import pin_run

pytestmark = pytest.mark.services


@pytest.fixture
def datasets(tmp_path: Path, dataset_files: Path):
    def changed(**changes: object) -> Path:
        document = yaml.safe_load((dataset_files / "demo.yaml").read_text()) | changes
        (tmp_path / "demo.yaml").write_text(yaml.safe_dump(document))
        return tmp_path

    return changed


def pinning_refused(folder: Path, server: DvidServer, *values: object) -> None:
    """A run of dataset `demo` is refused for good, and the message holds the values."""
    with refused(PermanentError, *values):
        pin_run(RunParameters(dataset="demo"), "run", folder, server)


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({"segmentation": {"core_vox": [64, 64, 100]}}, ["segmentation.core_vox = (64, 64, 100)", BLOCK_VOX]),
        (
            {"segmentation": {"core_vox": [64, 64, 64], "halo_vox": [65, 20, 20]}},
            ["halo_vox", (65, 20, 20)],
        ),
        ({"segmentation": {"halo_vox": [4, 20, 20]}}, ["segmentation.halo_vox = (4, 20, 20)", (20, 20, 20)]),
        ({"segmentation": {"preset": "miracle"}}, ["miracle", "classical"]),
        ({"volume": {"node": "abcdef", "groundtruth": {"instance": "groundtruth"}}}, ["volume.node = abcdef"]),
        (
            {"volume": {"node": "e5e9", "grayscale": "nothing", "groundtruth": {"instance": "groundtruth"}}},
            ["volume.grayscale = nothing", "uint8blk", "grayscale"],
        ),
        (
            {"volume": {"node": "e5e9", "grayscale": "groundtruth", "groundtruth": {"instance": "groundtruth"}}},
            ["volume.grayscale = groundtruth", "labelmap", "uint8blk"],
        ),
        (
            {"volume": {"node": "e5e9", "groundtruth": {"instance": "grayscale"}}},
            ["volume.groundtruth.instance = grayscale", "groundtruth"],
        ),
        (
            {"volume": {"node": "e5e9", "roi": "nowhere", "groundtruth": {"instance": "groundtruth"}}},
            ["volume.roi = nowhere"],
        ),
        ({"limits": {"max_subvolumes": 3}}, ["limits.max_subvolumes = 3", 18]),
    ],
)
def test_a_reference_or_value_that_cannot_work_is_named(datasets, volume, server, changes, values):
    pinning_refused(datasets(**changes), server, *values)


def test_an_unknown_step_or_parameter_is_named_with_what_is_known(datasets, volume, server):
    steps = {
        "mask": {"name": "empty-region"},
        "predict": {"name": "inverted-grayscale"},
        "supervoxels": {"name": "dt-watershed"},
        "agglomerate": {"name": "mean-boundary", "parameters": {"treshold": 0.5}},
    }
    pinning_refused(datasets(segmentation={"pipeline": steps}), server, "treshold", "threshold")
    steps["agglomerate"] = {"name": "median-boundary"}
    pinning_refused(datasets(segmentation={"pipeline": steps}), server, "median-boundary", "mean-boundary")


@pytest.mark.fault("F11")
def test_a_node_that_is_still_open_is_refused(datasets, server):
    root = create_repo(server, "open", "still open", root="0be0" + "0" * 28)
    open_node = datasets(volume={"node": root, "groundtruth": {"instance": "groundtruth"}})
    pinning_refused(open_node, server, f"reference {root}", f"node {root}")


def test_a_region_outside_the_data_is_refused_with_both_extents(datasets, volume, server):
    child = Node(server, volume.node).branch("roi-tests")
    region = RoiInstance(child, "faraway")
    region.create()
    region.write(Roi.of_blocks([(500, 500, 500)]))
    child.commit("a region far away")
    truth = {"instance": "groundtruth"}
    folder = datasets(volume={"node": child.uuid, "roi": "faraway", "groundtruth": truth})
    pinning_refused(folder, server, "volume.roi = faraway", (16000, 16000, 16000), (128, 192, 192))


def test_an_unreachable_dvid_is_a_transient_error_that_names_the_server(datasets, volume):
    nowhere = DvidServer(DvidConnection(url="http://127.0.0.1:9"), attempts=1)
    with refused(TransientError, "127.0.0.1:9"):
        pin_run(RunParameters(dataset="demo"), "run", datasets(), nowhere)


@pytest.mark.airflow
def test_airflow_refuses_in_the_first_task_and_writes_nothing(airflow, trigger, services: DvidServices):
    """Kills a check that runs after the Spark job was submitted, and retries of what cannot succeed."""
    run = trigger({"dataset": "demo", "core_vox": [64, 64, 100]})
    assert run.ended() == "failed"
    tasks = run.tasks()
    assert tasks.pop("pin") == "failed"
    assert set(tasks.values()) == {"upstream_failed"}
    assert run.tries()["pin"] == 1
    assert "segmentation.core_vox = (64, 64, 100)" in run.log("pin")
    assert not list(run.folder.files())


@pytest.mark.airflow
def test_airflow_refuses_a_value_outside_the_form_before_a_run_exists(airflow):
    with refused(EmsegError, "hopeful"):
        airflow.api.trigger("segment_volume", {"dataset": "demo", "stitch": "hopeful"})
