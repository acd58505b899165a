"""Bad input is refused in the first task, with field, value and remedy; nothing is submitted and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.refusals import refused

from emseg.config import DvidConnection, RunParameters
from emseg.config.groundtruth import Counting
from emseg.dvid import BLOCK_VOX, DvidServer, Grayscale, Labelmap, Node, RoiInstance, create_repo
from emseg.dvid.repetition import Patience
from emseg.errors import EmsegError, PermanentError, TransientError
from emseg.geometry import Box, Roi, VoxelSize
from emseg.phases.services import DvidServices
from emseg.tasks.pin import pin_run

pytestmark = pytest.mark.services

WHOLE = Box.of_shape((64, 128, 192))


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
        ({"segmentation": {"core_vox": [64, 64, 100]}}, ["segmentation.core_vox.2 = 100", BLOCK_VOX]),
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
        (
            {"volume": {"node": "e5e9", "groundtruth": {"instance": "groundtruth", "scale": 3}}},
            ["volume.groundtruth.scale = 3", "0 to 2"],
        ),
        ({"limits": {"max_subvolumes": 3}}, ["limits.max_subvolumes = 3", 18]),
    ],
)
def test_a_reference_or_value_that_cannot_work_is_named(datasets, volume, server, changes, values):
    pinning_refused(datasets(**changes), server, *values)


def test_what_counts_of_the_ground_truth_is_pinned(datasets, volume, server):
    """Kills an option of the dataset file that no run hears of."""
    counting = {"unassigned": "singletons", "ignore_boundary_nm": 8, "bodies": [7, 3], "min_body_vox": 9, "scale": 1}
    counting |= {"components": True}
    folder = datasets(volume={"node": "e5e9", "groundtruth": {"instance": "groundtruth"} | counting})
    found = pin_run(RunParameters(dataset="demo"), "run", folder, server).groundtruth.model_dump(mode="json")
    assert {name: found[name] for name in counting} == counting | {"bodies": [3, 7]}
    assert set(counting) == set(Counting.model_fields)


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


def node_with_truth(server: DvidServer, size_nm: VoxelSize, truth: Box, gray: Box = WHOLE) -> Node:
    """A new repository, committed: grayscale of 10 nm, ground truth and a former result of the size given."""
    node = Node(server, create_repo(server, "grids", "grayscale and ground truth"))
    grayscale = Grayscale(node, "grayscale")
    grayscale.create((10, 10, 10))
    # Other clients can set what emseg refuses to set.
    ends = {"MinPoint": [*reversed(gray.start)], "MaxPoint": [*reversed(gray.stop - 1)]}
    server.post_json(node.path("grayscale", "extents"), ends)
    for name in ("groundtruth", "former"):
        labels = Labelmap(node, name)
        labels.create(2, size_nm)
        labels.set_extents(truth)
    node.commit("grids")
    return node


@pytest.mark.parametrize(
    ("size_nm", "truth", "values"),
    [
        ((16, 16, 16), Box.of_shape((32, 64, 64)), [(16.0, 16.0, 16.0), (10.0, 10.0, 10.0)]),
        ((10, 10, 10.1), WHOLE, [(10.0, 10.0, 10.1), (10.0, 10.0, 10.0)]),
        ((10, 10, 10), Box.of_shape((192, 128, 64)), [(192, 128, 64), (64, 128, 192), "axes"]),
        ((10, 10, 10), Box((64, 0, 0), (128, 64, 64)), [(64, 0, 0), (64, 128, 192)]),
    ],
    ids=["half the resolution", "a little off", "turned", "beside the volume"],
)
def test_truth_that_is_not_about_the_same_voxels_is_refused(datasets, server, size_nm, truth, values):
    """Kills a score of voxels that are not the same tissue, for which the result would be blamed."""
    node = node_with_truth(server, size_nm, truth)
    folder = datasets(volume={"node": node.uuid, "groundtruth": {"instance": "groundtruth"}})
    pinning_refused(folder, server, "volume.groundtruth.instance = groundtruth", *values)


def test_an_output_of_another_voxel_size_is_refused(datasets, server):
    """Kills a run that finds out after the segmentation."""
    node = node_with_truth(server, (16, 16, 16), WHOLE)
    truth = Node(server, create_repo(server, "truth", "of the right size"))
    labels = Labelmap(truth, "groundtruth")
    labels.create(2, (10, 10, 10))
    truth.commit("truth")
    volume = {"node": node.uuid, "groundtruth": {"instance": "groundtruth", "node": truth.uuid}}
    folder = datasets(volume=volume, output={"instance": "former", "preserve_bodies": []})
    pinning_refused(folder, server, "output.instance = former", (16.0, 16.0, 16.0), (10.0, 10.0, 10.0))


def test_grayscale_below_zero_is_refused_with_the_remedy(datasets, server):
    """Kills a release with bodies at negative coordinates: one question for such a body ends DVID's process."""
    node = node_with_truth(server, (10, 10, 10), WHOLE, Box((-64, 0, 0), (64, 128, 192)))
    folder = datasets(volume={"node": node.uuid, "groundtruth": {"instance": "groundtruth"}})
    pinning_refused(folder, server, "volume.grayscale = grayscale", (-64, 0, 0), "offset of 0 or more")


@pytest.mark.parametrize("edge", ["nan", "inf", "0", "-8", "8e-9"])
def test_a_voxel_size_that_another_client_broke_is_told_with_the_way_out(datasets, server, edge):
    """Oracle: DVID itself takes such sizes, and the remedy in the message mends them."""
    node = Node(server, create_repo(server, f"broken {edge}", "made by another client"))
    units = ",".join(["nanometers"] * 3)
    made = {"typename": "uint8blk", "dataname": "grayscale", "VoxelSize": f"8,8,{edge}", "VoxelUnits": units}
    server.post_json(f"/api/repo/{node.uuid}/instance", made)
    for use in (lambda: Grayscale(node, "grayscale").create((8, 8, 8)), lambda: Grayscale(node, "grayscale").info()):
        with refused(PermanentError, "voxel size", "/resolution"):
            use()
    server.post_json(node.path("grayscale", "resolution"), [8, 8, 8])
    assert Grayscale(node, "grayscale").info().voxel_size_nm == (8, 8, 8)


def test_an_unreachable_dvid_is_a_transient_error_that_names_the_server(datasets, volume):
    nowhere = DvidServer(DvidConnection(url="http://127.0.0.1:9"), patience=Patience(attempts=1))
    with refused(TransientError, "127.0.0.1:9"):
        pin_run(RunParameters(dataset="demo"), "run", datasets(), nowhere)


@pytest.mark.airflow
def test_airflow_refuses_in_the_first_task_and_writes_nothing(airflow, trigger, services: DvidServices):
    """Kills a check that runs after the Spark job was submitted, and retries of what cannot succeed."""
    run = trigger({"dataset": "demo", "halo_vox": [4, 20, 20]})
    assert run.ended() == "failed"
    tasks = run.tasks()
    assert tasks.pop("pin") == "failed"
    assert set(tasks.values()) == {"upstream_failed"}
    assert run.tries()["pin"] == 1
    assert "segmentation.halo_vox = (4, 20, 20)" in run.log("pin")
    written = [path for path, _ in run.folder.files()]
    assert all(path.startswith("alerts/") for path in written), written  # the receipt of the alert about it


@pytest.mark.airflow
def test_airflow_refuses_a_value_outside_the_form_before_a_run_exists(airflow):
    with refused(EmsegError, "hopeful"):
        airflow.api.trigger("segment_volume", {"dataset": "demo", "stitch": "hopeful"})
