"""Ingestions by the engine, in one process, on a real DVID and store: what is reused, what is not, what is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import h5py
import numpy as np
import pytest
import zarr
from PIL import Image
from skimage.measure import block_reduce
from tests.refusals import refused
from tests.running import spark_job

from emseg.config.base import INGESTIONS
from emseg.config.ingestion import INGEST, IngestParameters, IngestSpec
from emseg.devstack import DevStack
from emseg.dvid import (
    DvidServer,
    Grayscale,
    IndexTable,
    Labelmap,
    Node,
    block_counts,
    create_repo,
    indexed_labels,
    indices,
    post_indices,
)
from emseg.dvid.labels import index as label_index
from emseg.engine.items import InProcess
from emseg.engine.report import StageReport
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.phases.services import DvidServices
from emseg.phases.write import portions
from emseg.store import FolderStore, S3Store
from emseg.tasks.ingestion import pin_ingestion, run_ingestion
from emseg.tasks.ingestion.job import IngestBrick
from emseg.tasks.ingestion.work import items_of, phase_folder
from emseg.tasks.run_folder import RunFolder

pytestmark = pytest.mark.services

PROJECT = Path(__file__).resolve().parents[2]

SHAPE = (70, 100, 300)


@dataclass
class Place:
    """A repository, a store, and a source that lies across two bricks."""

    services: DvidServices
    node: Node
    source: str

    def pinned(self, **chosen: object) -> IngestSpec:
        values = {"source": self.source, "node": self.node.uuid, "voxel_size_nm": (40, 4, 4), "max_scale": 1}
        return pin_ingestion(IngestParameters.model_validate(values | chosen), self.services)[0]

    def run(self, spec: IngestSpec, attempt: str = "") -> StageReport:
        return run_ingestion(spec, attempt or uuid4().hex[:8], lambda: self.services, InProcess())


@pytest.fixture
def place(devstack: DevStack, tmp_path: Path) -> Place:
    server = DvidServer(devstack.dvid)
    node = Node(server, create_repo(server, "test", "a test of emseg", uuid4().hex))
    zarr.create_array(tmp_path / "v.zarr", data=_volume(), chunks=(64, 64, 64))
    return Place(DvidServices(FolderStore(tmp_path / "store"), server), node, str(tmp_path / "v.zarr"))


def _volume() -> np.ndarray:
    return np.random.default_rng(7).integers(1, 200, SHAPE).astype(np.uint16)


def _figures(report: StageReport) -> tuple[int, int]:
    return report.items_done, report.items_reused


def test_grayscale_is_written_once_and_a_killed_try_is_gone_on_with(place: Place) -> None:
    """Kills bricks that are written twice, scales without the bricks of the first try, and extents of one try."""
    spec = place.pinned(window=(0, 255), offset_vox=(0, 0, 100))
    first, second = items_of(spec)
    killed = IngestBrick(spec, "killed", lambda: place.services)
    Grayscale(place.node, "grayscale").create((40, 4, 4))
    Grayscale(place.node, "grayscale_1").create((80, 8, 8))
    killed(first)
    report = place.run(spec)
    assert _figures(report) == (1, 1)
    assert _figures(place.run(spec)) == (0, 2)
    box = Box.of_shape(SHAPE, (0, 0, 100))
    fine, coarse = Grayscale(place.node, "grayscale"), Grayscale(place.node, "grayscale_1")
    np.testing.assert_array_equal(fine.read(box), _volume())
    halved = np.floor(block_reduce(_volume().astype(float), (2, 2, 2), np.mean) + 0.5)
    np.testing.assert_array_equal(coarse.read(box.coarser(2)), halved)
    assert (fine.info().extents, coarse.info().extents) == (box, box.coarser(2))
    assert {marker.item for marker in phase_folder(spec, place.services, "").manifest()} == {first, second}


def test_labels_are_there_with_their_indices(place: Place) -> None:
    """Kills labels of which only the bricks of the last try are indexed."""
    spec = place.pinned(kind="labels", instance="seg")
    labelmap = Labelmap(place.node, "seg")
    labelmap.create(1, (40, 4, 4))
    IngestBrick(spec, "killed", lambda: place.services)(items_of(spec)[1])
    assert _figures(place.run(spec)) == (1, 1)
    np.testing.assert_array_equal(labelmap.read(Box.of_shape(SHAPE)), _volume())
    sizes = place.node.server.get_json(place.node.path("seg", "size", "7"))
    assert sizes["voxels"] == np.count_nonzero(_volume() == 7)


def test_indices_in_many_parts_are_those_of_one_and_what_an_earlier_try_left_is_removed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills a label that is cut between bricks, and one of an earlier try that keeps its index. Oracle: numpy."""
    spec = place.pinned(kind="labels", instance="seg")
    labelmap = Labelmap(place.node, "seg")
    labelmap.create(1, (40, 4, 4))
    gone = np.array([999, 1_000_000, 4], np.uint64)
    post_indices(labelmap, IndexTable(np.full((3, 3), 9, np.int32), gone, gone, np.full(3, 5, np.uint32)))
    monkeypatch.setattr(portions, "SOURCE_ROWS", 1)
    monkeypatch.setattr(portions, "PARTITION_ROWS", 300)
    monkeypatch.setattr(label_index, "PAGE_LABELS", 2)
    place.run(spec)
    whole_blocks = np.pad(_volume(), [(0, -side % 64) for side in SHAPE]).astype(np.uint64)
    found, wanted = (
        indices(labelmap, indexed_labels(labelmap).tolist()),
        block_counts(whole_blocks, (0, 0, 0)).ordered(),
    )
    for one, other in zip(found.columns, wanted.columns, strict=True):
        np.testing.assert_array_equal(one, other)
    assert phase_folder(spec, place.services, "").phase_marker().results["labels"] == len(np.unique(_volume()))


def test_another_ingestion_writes_everything_again(place: Place) -> None:
    """Kills taking markers of a first ingestion for done after a second one wrote over its voxels."""
    first = place.pinned(window=(0, 199))
    assert _figures(place.run(first)) == (2, 0)
    assert _figures(place.run(first)) == (0, 2)
    assert _figures(place.run(place.pinned(window=(0, 255)))) == (2, 0)
    with refused(PermanentError, "'grayscale'", "pin"):
        place.run(first)
    assert _figures(place.run(place.pinned(window=(0, 199)))) == (2, 0)


def test_voxels_that_were_corrected_in_place_are_ingested(place: Place) -> None:
    """Kills a key of what the source says of itself: a chunk was written anew, and no metadata tells of it."""
    place.run(place.pinned(window=(0, 255)))
    zarr.open_array(place.source, mode="r+")[:] = _volume() + 1
    place.run(place.pinned(window=(0, 255)))
    assert np.array_equal(Grayscale(place.node, "grayscale").read(Box.of_shape(SHAPE)), _volume() + 1)


def test_labels_go_to_the_instance_that_the_command_line_takes_too(place: Place) -> None:
    """Kills a labelmap of the name `grayscale`."""
    assert place.pinned(kind="labels").instance == "groundtruth"
    assert place.pinned(window=(0, 255)).instance == "grayscale"


def test_sections_that_are_missing_are_what_the_form_says(place: Place, tmp_path: Path) -> None:
    """Kills a remedy, gaps, that the form of the DAG does not have."""
    sections = tmp_path / "sections"
    sections.mkdir()
    for z in (1, 2, 4):
        Image.fromarray(np.full((5, 6), z, np.uint8)).save(sections / f"{z}.png")
    with refused(PermanentError, 3):
        place.pinned(source=str(sections))
    place.run(place.pinned(source=str(sections), gaps="blank", max_scale=0))
    found = Grayscale(place.node, "grayscale").read(Box.of_shape((4, 5, 6)))
    assert found[:, 0, 0].tolist() == [1, 2, 0, 4]


def test_labels_that_are_gone_from_the_source_are_never_left_in_dvid(place: Place) -> None:
    """Kills empty blocks that are left out in silence, so that labels of the first ingestion stay where now is none."""
    place.run(place.pinned(kind="labels", instance="seg"))
    zarr.open_array(place.source, mode="r+")[:, :, 128:] = 0
    with refused(PermanentError, "'seg'", place.node.uuid, "(0, 0, 2)"):
        place.run(place.pinned(kind="labels", instance="seg", missing_chunks="empty"))
    assert np.array_equal(Labelmap(place.node, "seg").read(Box.of_shape(SHAPE)), _volume())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_source_that_changes_after_the_pin_is_refused(place: Place, tmp_path: Path, kind: str) -> None:
    """Kills bricks of two sources in one volume, and a look at the time of `FILE:NAME`, which is no file."""
    sections = tmp_path / "sections"
    sections.mkdir()
    for value in (3, 4):
        with h5py.File(tmp_path / "v.h5", "w") as file:
            file["raw"] = np.full((4, 5, 6), value, np.uint8)
        for z in range(4):
            Image.fromarray(np.full((5, 6), value, np.uint8)).save(sections / f"{z}.png")
        if value == 3:
            spec = place.pinned(source=str(sections) if kind == "folder" else f"{tmp_path / 'v.h5'}:raw")
    with refused(PermanentError, "pin", spec.source):
        place.run(spec)
    assert set(place.node.repo().instances) == set()


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, "uint16"),
        ({"window": (300, 200)}, 300),
        ({"voxel_size_nm": None, "window": (0, 255)}, "voxels"),
        ({"offset_vox": (0, 0, 2**26), "window": (0, 255)}, 2**26),
        ({"source": "/nowhere.zarr"}, "/nowhere.zarr"),
    ],
)
def test_what_cannot_be_ingested_is_refused_before_anything_is_written(
    place: Place, chosen: dict[str, object], found: object
) -> None:
    with refused(PermanentError, found):
        place.pinned(**chosen)
    assert set(place.node.repo().instances) == set()


def test_a_committed_node_and_other_code_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = place.pinned(window=(0, 255))
    with refused(PermanentError, "pin"):
        place.run(spec.model_copy(update={"code": "0" * 16}))
    place.node.commit("done")
    with refused(PermanentError, place.node.uuid):
        place.pinned(window=(0, 255))


@pytest.mark.spark
def test_a_spark_job_ingests_what_was_pinned(place: Place, devstack: DevStack) -> None:
    """Kills work that cannot travel to a worker, and a source that only the driver has opened."""
    services = DvidServices(S3Store.open(devstack.s3), place.services.server)
    chosen = {"source": place.source, "node": place.node.uuid, "window": (0, 255), "voxel_size_nm": (40, 4, 4)}
    spec, _ = pin_ingestion(IngestParameters.model_validate(chosen), services)
    run = RunFolder(services.store, INGESTIONS, f"run-{uuid4().hex[:8]}")
    run.write("ingestion", spec)
    done = spark_job(INGEST, INGESTIONS, run.run, {**os.environ, **devstack.environment()}, cores=2)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert run.read(f"report-{INGEST}", StageReport).items_done == len(items_of(spec)) == 2
    np.testing.assert_array_equal(Grayscale(place.node, "grayscale").read(Box.of_shape(SHAPE)), _volume())
