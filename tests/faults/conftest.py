"""Runs that faults are made in: pinned here, computed by drivers of their own processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from tests.faults import driver
from tests.faults.matrix import FULL
from tests.forked import Forked, forked

from emseg.config import RunParameters
from emseg.config.gate import Everywhere, EverywhereRegression, Regression
from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer, Node, create_repo
from emseg.errors import TransientError
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases import phases
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import S3Store
from emseg.synthetic import make_volume
from emseg.tasks.pin import pin_run
from emseg.tasks.run_folder import RunFolder

ALL = ("segment", "stitch", "evaluate", "gate", "publish")
PATIENCE_S = 1800.0 if FULL else 300.0
SHAPE = (64, 128, 128)
"""Four subvolumes of 64 voxels a side: the smallest volume with items at every point of a phase."""
VOXEL_NM = (10.0, 10.0, 10.0)


@dataclass(frozen=True)
class Ended:
    """How a driver ended: its exit code (below 0: the signal) and what it said."""

    code: int
    said: str


@dataclass(frozen=True)
class FaultRun:
    """A pinned run on a devstack, whose drivers get `environment` on top of that of the devstack."""

    stack: DevStack
    folder: RunFolder
    services: DvidServices
    logs: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *tasks: str, **environment: str) -> Forked:
        """A driver that does the tasks."""
        variables = {**os.environ, **self.stack.environment(), **self.environment, **environment}
        log = self.logs / f"driver-{uuid4().hex[:8]}.log"
        words = (self.folder.dataset, self.folder.run, *tasks)
        return forked(driver.main, *words, environment=variables, out=log, err=log)

    def drive(self, *tasks: str, **environment: str) -> Ended:
        """The same, to its end."""
        return ended(self.start(*tasks, **environment))

    def context(self) -> RunContext[DvidServices]:
        """The run, to look at."""
        return self.folder.pinned_context(lambda: self.services)

    def committed(self) -> dict[str, str]:
        """Which attempt committed each item of each phase so far."""
        run = self.context()
        folders = [run.folder(phase.name) for phase in phases()]
        return {
            f"{folder.phase}/{marker.item}": marker.attempt
            for folder in folders
            for marker in folder.item_markers(sorted(folder.done_items()))
        }

    def digests(self) -> dict[str, str]:
        """Digest of what each phase left; PermanentError where one is not done."""
        run = self.context()
        markers = {phase.name: run.folder(phase.name).phase_marker() for phase in phases()}
        undone = [name for name, marker in markers.items() if marker is None]
        assert not undone, f"not done: {undone}"
        return {name: marker.content_digest for name, marker in markers.items() if marker is not None}


def ended(started: Forked) -> Ended:
    """Wait for a driver."""
    done = started.ended(PATIENCE_S)
    return Ended(done.returncode, done.stdout)


def tried_again(run: FaultRun, started: Forked) -> Ended:
    """How a driver of all tasks ended; where its error says that a retry is of use, how that ended, as in Airflow.

    A driver that comes late may still be writing when a twin commits the node: its error is transient.
    """
    first = ended(started)
    return run.drive(*ALL) if first.code == TransientError.exit_code else first


@dataclass(frozen=True)
class FaultStack:
    """A devstack with a committed volume, and runs over it."""

    stack: DevStack
    datasets: Path
    node: str

    @property
    def services(self) -> DvidServices:
        return DvidServices(S3Store.open(self.stack.s3), DvidServer(self.stack.dvid))

    def run(self, dataset: str = "", environment: Mapping[str, str] | None = None, **parameters: object) -> FaultRun:
        """A new run, pinned; a new dataset where none is named, so that nothing is shared with other runs."""
        dataset = dataset or f"f-{uuid4().hex[:8]}"
        document = {
            "name": dataset,
            "description": "faults",
            "volume": {"node": self.node, "groundtruth": {"instance": "groundtruth"}},
            "segmentation": {"core_vox": [64, 64, 64], "halo_vox": [20, 20, 20]},
            "gate": {
                "vi_split_max": 9,
                "vi_merge_max": 9,
                "are_max": 1,
                "subvolume_vi_max": 20,
                "assigned_share_min": 0,
                # Results of any quality replace each other here.
                "regression": dict.fromkeys(Regression.model_fields),
                "everywhere": {
                    **{name: None for name in Everywhere.model_fields if name.endswith("_max")},
                    "regression": dict.fromkeys(EverywhereRegression.model_fields),
                },
            },
        }
        (self.datasets / f"{dataset}.yaml").write_text(yaml.safe_dump(document))
        services = self.services
        folder = RunFolder(services.store, dataset, f"run-{uuid4().hex[:8]}")
        chosen = RunParameters(dataset=dataset, **parameters)  # type: ignore[arg-type]
        folder.begin(pin_run(chosen, folder.run, self.datasets, services.server))
        return FaultRun(self.stack, folder, services, self.datasets, dict(environment or {}))


def made(stack: DevStack, datasets: Path) -> FaultStack:
    """The volume of these tests on `stack`."""
    volume = make_volume(SHAPE, seed=5)
    server = DvidServer(stack.dvid)
    node = Node(server, create_repo(server, "faults", "fault tests"))
    ingest_grayscale(node, "grayscale", ArrayVolume(volume.grayscale, "grayscale"), VOXEL_NM)
    ingest_labels(node, "groundtruth", ArrayVolume(volume.groundtruth, "groundtruth"), VOXEL_NM)
    node.commit("fault tests")
    return FaultStack(stack, datasets, node.uuid)


@pytest.fixture(scope="session")
def faults(devstack: DevStack, tmp_path_factory: pytest.TempPathFactory) -> FaultStack:
    """The volume on the servers of the test run."""
    return made(devstack, tmp_path_factory.mktemp("fault-datasets"))


@pytest.fixture
def own_faults(tools: Path, tmp_path: Path) -> Iterator[FaultStack]:
    """The volume on servers that this test alone uses, so that it may kill them."""
    root = tmp_path / "own"
    try:
        (tmp_path / "datasets").mkdir()
        yield made(up(root, tools), tmp_path / "datasets")
    finally:
        down(root)


@pytest.fixture(scope="session")
def undisturbed(faults: FaultStack) -> dict[str, str]:
    """What each phase leaves where nothing goes wrong."""
    run = faults.run()
    done = run.drive(*ALL)
    assert done.code == 0, done.said
    return run.digests()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says a figure of this test for the table that `make faults` prints."""
    return lambda text: request.node.user_properties.append(("figure", text))
