"""A published segmentation seen by readers that are not ours: dvidtools, and the voxels that DVID encodes anew.

The oracle for bodies is the same run on the array in memory, which knows no DVID; for coarser scales and blocks it is
numpy. The extents are no multiple of a block or brick, so that edges are seen, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import dvid
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from tests.running import after

from emseg.config import RunParameters, load_dataset
from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Node, create_repo
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import Verdict
from emseg.store import FolderStore
from emseg.synthetic import make_volume
from emseg.tasks.local import segment_array
from emseg.tasks.pin import pin_run
from emseg.tasks.publish import publish_run
from emseg.tasks.run_folder import RunFolder

pytestmark = pytest.mark.services

Labels = npt.NDArray[np.uint64]
SHAPE = (104, 148, 176)
NAME, INSTANCE, MAX_SCALE = "readers", "segmentation", 2
VOXEL_NM = (10.0, 10.0, 10.0)


@dataclass(frozen=True)
class Published:
    """A committed node, and the bodies that it is to hold."""

    node: Node
    bodies: Labels

    def get(self, *parts: str, **params: str) -> bytes:
        return self.node.server.get(self.node.path(INSTANCE, *parts), params)

    def raw(self, scale: int, supervoxels: bool = False) -> Labels:
        """All voxels of a scale in whole blocks, as the server unpacks its blocks."""
        z, y, x = (64 * -(-b // (64 << scale)) for b in SHAPE)
        stream = self.get(
            "raw", "0_1_2", f"{x}_{y}_{z}", "0_0_0", scale=str(scale), supervoxels=str(supervoxels).lower()
        )
        return np.frombuffer(stream, "<u8").reshape(z, y, x)


@pytest.fixture(scope="module")
def published(server: DvidServer, tmp_path_factory) -> Published:
    made = make_volume(SHAPE, seed=11)
    root = Node(server, create_repo(server, "readers", "independent readers"))
    ingest_grayscale(root, "grayscale", ArrayVolume(made.grayscale, "grayscale"), VOXEL_NM)
    ingest_labels(root, "groundtruth", ArrayVolume(made.groundtruth, "groundtruth"), VOXEL_NM)
    root.commit("volume")
    folder = _dataset(tmp_path_factory.mktemp("dataset"), root.uuid)
    services = DvidServices(FolderStore(tmp_path_factory.mktemp("store")), server)
    spec = pin_run(RunParameters(dataset=NAME), "run", folder, server)
    run = RunContext(spec, "first", lambda: services)
    after(run, "segment", "stitch")
    fingerprint = run.keys["write"]
    passed = Verdict(
        passed=True, fingerprint=fingerprint, dataset=NAME, run="run", reasons=(), figures={"vi_split": 1.0}, rows=()
    )
    RunFolder(services.store, NAME, "run").write("verdict", passed)
    release = publish_run(run)
    dataset = load_dataset(folder, NAME)
    store = FolderStore(tmp_path_factory.mktemp("in-memory"))
    bodies = segment_array(made.grayscale, dataset.segmentation, dataset.stitching, store, VOXEL_NM)
    return Published(Node(server, release.uuid), bodies)


def _dataset(folder: Path, node: str) -> Path:
    document = {
        "name": NAME,
        "description": "independent readers",
        "volume": {"node": node, "groundtruth": {"instance": "groundtruth"}},
        "segmentation": {"core_vox": [64, 64, 64], "halo_vox": [20, 20, 20]},
        "output": {"instance": INSTANCE, "max_scale": MAX_SCALE},
    }
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.fixture
def reader(published, devstack: DevStack, monkeypatch) -> None:
    """dvidtools, told where the release is."""
    monkeypatch.setattr(dvid.config, "segmentation", INSTANCE, raising=False)
    dvid.setup(server=devstack.dvid.url, node=published.node.uuid, user="reader")


@pytest.fixture
def some_bodies(published) -> list[int]:
    """Small, middling and large bodies."""
    names, sizes = np.unique(published.bodies[published.bodies > 0], return_counts=True)
    by_size = names[np.argsort(sizes, kind="stable")]
    return [int(by_size[at]) for at in (0, len(by_size) // 3, len(by_size) // 2, -2, -1)]


def halved(labels: Labels) -> Labels:
    """Most frequent label above 0 of each 2 x 2 x 2, the smallest of equals: sorted and counted, slow and plain."""
    z, y, x = labels.shape
    eights = labels.reshape(z // 2, 2, y // 2, 2, x // 2, 2).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 8)
    eights = np.sort(eights, axis=1)
    votes = (eights[:, :, None] == eights[:, None, :]).sum(axis=2) * (eights > 0)
    return eights[np.arange(len(eights)), votes.argmax(axis=1)].reshape(z // 2, y // 2, x // 2)


def voxels_of(labels: Labels, body: int) -> npt.NDArray[np.int64]:
    """Coordinates X Y Z of a body, sorted."""
    return np.argwhere(labels == body)[:, ::-1][np.lexsort(np.argwhere(labels == body).T[::-1])]


def ordered(points: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    points = np.asarray(points, np.int64)
    return points[np.lexsort((points[:, 0], points[:, 1], points[:, 2]))]


def test_the_servers_own_voxels_are_the_bodies(published):
    """DVID unpacks the blocks and applies the mappings: kills blocks and mappings that only our reader understands."""
    z, y, x = SHAPE
    raw = published.raw(0)
    np.testing.assert_array_equal(raw[:z, :y, :x], published.bodies)
    assert np.count_nonzero(raw) == np.count_nonzero(published.bodies)


def test_the_servers_coarser_voxels_are_the_modes_of_the_finer_ones(published):
    supervoxels, bodies = published.raw(0, supervoxels=True), published.raw(0)
    known, first = np.unique(supervoxels, return_index=True)
    for scale in range(1, MAX_SCALE + 1):
        supervoxels = halved(supervoxels)
        found = published.raw(scale, supervoxels=True)
        z, y, x = (min(a, b) for a, b in zip(supervoxels.shape, found.shape, strict=True))
        np.testing.assert_array_equal(found[:z, :y, :x], supervoxels[:z, :y, :x])
        assert np.count_nonzero(found) == np.count_nonzero(supervoxels)
        expected = bodies.ravel()[first][np.searchsorted(known, supervoxels)]
        np.testing.assert_array_equal(published.raw(scale)[:z, :y, :x], expected[:z, :y, :x])


def test_dvidtools_sees_the_size_of_every_body(published, reader):
    names, sizes = np.unique(published.bodies[published.bodies > 0], return_counts=True)
    found = dvid.get_sizes(names.tolist(), progress=False)
    assert found.astype(int).tolist() == sizes.tolist()
    assert dvid.ids_exist([*names.tolist(), 1 << 40], progress=False).tolist() == [True] * len(names) + [False]


def test_dvidtools_sees_the_body_of_every_voxel(published, reader):
    points = np.random.default_rng(1).integers(0, SHAPE, (500, 3))
    found = dvid.locs_to_ids(points[:, ::-1], progress=False)
    np.testing.assert_array_equal(np.asarray(found, np.uint64), published.bodies[tuple(points.T)])


def test_dvidtools_sees_the_voxels_of_bodies_at_two_scales(published, reader, some_bodies):
    coarse = published.raw(1)
    for body in some_bodies:
        np.testing.assert_array_equal(ordered(dvid.get_sparsevol(body, scale=0)), voxels_of(published.bodies, body))
        if (coarse == body).any():
            np.testing.assert_array_equal(ordered(dvid.get_sparsevol(body, scale=1)), voxels_of(coarse, body))


def test_dvidtools_sees_the_blocks_and_bounds_of_bodies(published, reader, some_bodies):
    for body in some_bodies:
        points = voxels_of(published.bodies, body)
        blocks = ordered(np.unique(points // 64, axis=0))
        np.testing.assert_array_equal(ordered(dvid.get_sparsevol(body, scale="COARSE")), blocks)
        bounds = dvid.get_sparsevol_size(body)
        assert (bounds["voxels"], bounds["numblocks"]) == (len(points), len(blocks))
        # The server answers in whole blocks.
        assert bounds["minvoxel"] == (64 * blocks.min(0)).tolist()
        assert bounds["maxvoxel"] == (64 * blocks.max(0) + 63).tolist()


def test_every_supervoxel_is_in_its_body_with_its_size(published):
    """Oracle: numpy on the server's voxels."""
    supervoxels, bodies = published.raw(0, supervoxels=True), published.raw(0)
    names, first, sizes = np.unique(supervoxels, return_index=True, return_counts=True)
    names, of_body, sizes = names[1:], bodies.ravel()[first[1:]], sizes[1:]
    address = published.node.path(INSTANCE, "sizes")
    found = published.node.server.get(address, {"supervoxels": "true"}, body=json.dumps(names.tolist()).encode())
    assert json.loads(found) == sizes.tolist()
    assert len(names) > len(np.unique(of_body))
    for body in np.unique(of_body).tolist():
        assert sorted(json.loads(published.get("supervoxels", str(body)))) == names[of_body == body].tolist()


def test_the_largest_label_and_the_extents_are_those_of_the_voxels(published):
    supervoxels = published.raw(0, supervoxels=True)
    assert json.loads(published.get("maxlabel")) == {"maxlabel": int(supervoxels.max())}
    extents = json.loads(published.get("info"))["Extents"]
    assert (extents["MinPoint"], extents["MaxPoint"]) == ([0, 0, 0], [n - 1 for n in reversed(SHAPE)])
