"""Fixtures of every room: the real servers of the test run, and the real EM data where there is some."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from hypothesis import settings
from tests.installing import uv
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from emseg.config.resources import ONE_COMPILER
from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer, Node, create_repo
from emseg.errors import PermanentError
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.synthetic import make_volume

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLE = PROJECT / "tests" / "plugin_package"
"""The package of docs/plugins.md, with a step and a metric."""
NEEDS_AIRFLOW = "tests/pipeline/"
"""Where the tests are that need the running Airflow."""

# As drivers have it that Airflow starts on this computer; tests start others by hand.
os.environ["SPARK_SUBMIT_OPTS"] = os.environ["SPARK_DAEMON_JAVA_OPTS"] = ONE_COMPILER

# No deadline: machines are shared and noisy, and no test here is about time.
settings.register_profile("emseg", deadline=None, max_examples=60)
settings.load_profile("emseg")


class _AirflowOnce(LoadFileScheduling):
    """Workers get whole files, and the files that need the running Airflow go to one of them: it is started once.

    So do the files that need the environment of the image.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if file.startswith("tests/docker/"):
            return "docker"
        return "airflow" if file.startswith(NEEDS_AIRFLOW) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that need the running Airflow come first: they take longest, and it is stopped after them.

    Rooms with a file of more than a minute follow, so that no worker is left alone with one at the end.
    """
    first = (NEEDS_AIRFLOW, "tests/tasks/", "tests/training/")
    items.sort(key=lambda item: next((n for n, room in enumerate(first) if item.nodeid.startswith(room)), len(first)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _AirflowOnce:
    """How tests are given to the workers of `pytest -n`."""
    return _AirflowOnce(config, log)


@pytest.fixture
def foreign_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables that a person has for other programs: a proxy that leads nowhere, passwords in .netrc, AWS tools."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login theirs password theirs\n")
    (tmp_path / "netrc").chmod(0o600)
    nowhere = "http://127.0.0.1:9"
    foreign = {
        **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"), nowhere),
        **{"no_proxy": "", "NO_PROXY": "", "NETRC": str(tmp_path / "netrc")},
        **{"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "theirs", "AWS_CONFIG_FILE": "/nowhere/config"},
        **{"AWS_ENDPOINT_URL": nowhere, "AWS_ENDPOINT_URL_S3": nowhere, "AWS_USE_FIPS_ENDPOINT": "true"},
        **{"AWS_CA_BUNDLE": "/nowhere/ca.pem", "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"},
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def tools() -> Path:
    """Folder of the built server programs, kept between runs."""
    return PROJECT / "build" / "tools"


@pytest.fixture(scope="session")
def example_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the example package is installed, as an author's users would install it."""
    # A copy, because building a package leaves files beside its source.
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source)
    uv("pip", "install", "--no-deps", "--target", target, source)
    return target


@pytest.fixture(scope="session")
def devstack(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """DVID and S3 on free ports of 127.0.0.1, in a folder of this run; none is left when the run ends.

    Where the programs cannot be had (no Go, no package index) its tests are skipped, but never in CI.
    """
    root = tmp_path_factory.mktemp("devstack")
    try:
        yield _up_or_skip(root, tools)
    finally:
        down(root)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real EM volumes (EMSEG_SHARED, or ../shared/data beside the project); skipped where there is none."""
    folder = Path(os.environ.get("EMSEG_SHARED", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real EM data in {folder}: set EMSEG_SHARED to its folder")
    return folder


def _up_or_skip(root: Path, tools: Path) -> DevStack:
    try:
        return up(root, tools)
    except PermanentError as error:
        if os.environ.get("CI") == "true" or error.doing.startswith("starting"):
            raise
        pytest.skip(f"the servers cannot be built here: {error}")


@dataclass(frozen=True)
class TestVolume:
    """A small synthetic volume in the DVID of the test run: committed node, and the arrays that it was made from."""

    __test__ = False
    node: str
    grayscale: npt.NDArray[np.uint8]
    groundtruth: npt.NDArray[np.uint64]


VOLUME_ROOT = "e5e9000000000000000000000000e5e9"
VOLUME_SHAPE = (128, 192, 192)


@pytest.fixture(scope="session")
def server(devstack: DevStack) -> DvidServer:
    """Client of the test run's DVID."""
    return DvidServer(devstack.dvid)


@pytest.fixture(scope="session")
def volume(server: DvidServer) -> TestVolume:
    """The volume of the pipeline tests: 18 subvolumes of 64 voxels a side."""
    made = make_volume(VOLUME_SHAPE, seed=3)
    node = Node(server, create_repo(server, "tests", "pipeline tests", root=VOLUME_ROOT))
    ingest_grayscale(node, "grayscale", ArrayVolume(made.grayscale, "grayscale"), (10.0, 10.0, 10.0))
    ingest_labels(node, "groundtruth", ArrayVolume(made.groundtruth, "groundtruth"), (10.0, 10.0, 10.0))
    node.commit("test volume")
    return TestVolume(node.uuid, made.grayscale, made.groundtruth)


@pytest.fixture(scope="session")
def dataset_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dataset files of one volume under several names: equal runs of one name write to one DVID node, whoever runs."""
    folder = tmp_path_factory.mktemp("datasets")
    for name in ("demo", "killed", "cluster", "stages", "damaged", "operators", "trained", "late"):
        document = {
            "name": name,
            "description": "pipeline tests",
            "volume": {"node": VOLUME_ROOT, "groundtruth": {"instance": "groundtruth"}},
            "segmentation": {"core_vox": [64, 64, 64], "halo_vox": [20, 20, 20]},
            "gate": {"vi_split_max": 1.5, "vi_merge_max": 1.5, "are_max": 0.5},
        }
        document |= {"alerts": {"late_after_h": 0.0005}} if name == "late" else {}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return folder
