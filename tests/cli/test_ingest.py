"""`emseg ingest` as a user calls it: the file's own word, the summary, and a dry run that writes nothing."""

from __future__ import annotations

import uuid
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.refusals import refused
from typer.testing import CliRunner

from emseg.cli import ingest
from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Grayscale, Labelmap, Node, create_repo
from emseg.errors import PermanentError
from emseg.geometry import Box

pytestmark = pytest.mark.services


@pytest.fixture
def node(devstack: DevStack, monkeypatch: pytest.MonkeyPatch) -> Node:
    server = DvidServer(devstack.dvid)
    monkeypatch.setattr(ingest, "dvid_server", lambda: server)
    return Node(server, create_repo(server, "test", "a test of emseg", uuid.uuid4().hex))


def _grayscale(node: Node, source: Path, *options: object) -> str:
    return _run(["grayscale", source, "--node", node.uuid, *options])


def _run(words: list[object]) -> str:
    done = CliRunner().invoke(ingest.cli, [*map(str, words)])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_a_file_says_its_place_and_a_window_makes_8_bits(node: Node, tmp_path: Path) -> None:
    """Kills a dry run that writes, the file's word ignored, and voxels that are clipped without a word."""
    volume = np.random.default_rng(1).integers(0, 1000, (4, 10, 10)).astype(np.uint16)
    with h5py.File(tmp_path / "cremi.hdf", "w") as file:
        file["volumes/raw"] = volume
        file["volumes/raw"].attrs.update(resolution=(40.0, 4.0, 4.0), offset=(80.0, 4.0, 0.0))
    with pytest.raises(PermanentError, match="--window LOW HIGH"):
        _grayscale(node, tmp_path / "cremi.hdf")
    window = ("--window", 100, 900)
    told = _grayscale(node, tmp_path / "cremi.hdf", *window, "--dry-run")
    clipped = f"{100 * np.mean((volume < 100) | (volume > 900)):.3g} %"
    for word in ("40 x 4 x 4 nm", "says the file", "0 to 255", clipped, node.uuid, "(2, 1, 0) to (6, 11, 10)"):
        assert word in told
    assert not node.repo().instances
    told = _grayscale(node, tmp_path / "cremi.hdf", *window)
    assert f"{clipped} of all voxels" in told
    gray = Grayscale(node, "grayscale")
    assert (gray.info().extents, gray.info().voxel_size_nm) == (Box((2, 1, 0), (6, 11, 10)), (40, 4, 4))
    expected = np.rint((np.clip(volume, 100, 900) - 100.0) * 255 / 800)
    np.testing.assert_array_equal(gray.read(Box((2, 1, 0), (6, 11, 10))), expected)
    told = _grayscale(node, tmp_path / "cremi.hdf", *window, "--offset", 6, 1, 0, "--overrule-file", "--dry-run")
    assert "with these, (2, 1, 0) to (10, 11, 10)" in told


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("grayscale", "--offset", 2**26, 0, 0), (2**26,)),
        (("labels", "--offset", 0, 2**26, 0), (2**26,)),
        (("roi", "--offset", 0, 0, 2**26), (2**26,)),
        (("labels", "--max-scale", 99), (99,)),
        (("grayscale", "--instance", "truth"), ("truth", "labelmap")),
        (("labels", "--instance", "gray"), ("gray", "uint8blk")),
        (("labels", "--instance", "truth", "--max-scale", 3), ("truth", 2)),
        (("roi", "--name", "gray"), ("gray", "uint8blk")),
        (("grayscale", "--instance", "gray", "--voxel-size-nm", 4, 4, 4), ("gray", 8.0)),
        *(((kind, "--instance", name), (name,)) for kind in ("grayscale", "labels") for name in ("g%2f", "a/b", "ü")),
        (("roi", "--name", "../x"), ("../x",)),
    ],
    ids=str,
)
def test_a_dry_run_refuses_what_the_run_would_refuse(
    node: Node, tmp_path: Path, words: tuple[object, ...], found: tuple[object, ...]
) -> None:
    """Kills checks that a dry run skips, so that a person learns of them after hours."""
    np.save(tmp_path / "v.npy", np.ones((4, 10, 10), np.uint8))
    Grayscale(node, "gray").create((8, 8, 8))
    Labelmap(node, "truth").create(2, (8, 8, 8))
    before = set(node.repo().instances)
    size = () if words[0] == "roi" or "--voxel-size-nm" in words else ("--voxel-size-nm", 8, 8, 8)
    for dry in (("--dry-run",), ()):
        command = [words[0], tmp_path / "v.npy", "--node", node.uuid, *words[1:], *size, *dry]
        with refused(PermanentError, *found):
            _run(command)
    assert set(node.repo().instances) == before


@pytest.mark.parametrize("kind", ["grayscale", "labels", "roi"])
def test_a_dry_run_refuses_a_committed_node(node: Node, tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "v.npy", np.ones((4, 10, 10), np.uint8))
    node.commit("done")
    size = () if kind == "roi" else ("--voxel-size-nm", 8, 8, 8)
    with refused(PermanentError, node.uuid):
        _run([kind, tmp_path / "v.npy", "--node", node.uuid, *size, "--dry-run"])


@pytest.mark.parametrize(("dtype", "remedy"), [(np.uint16, "--window"), (np.uint32, "uint16"), (np.uint64, "uint16")])
def test_the_remedy_for_gray_of_another_type_can_be_followed(
    node: Node, tmp_path: Path, dtype: type, remedy: str
) -> None:
    """Kills the advice to choose a window, which windows refuse for 32 bits."""
    np.save(tmp_path / "v.npy", np.ones((4, 10, 10), dtype))
    with refused(PermanentError, remedy) as caught:
        _grayscale(node, tmp_path / "v.npy", "--voxel-size-nm", 8, 8, 8)
    assert ("--window" in str(caught.value)) == (dtype is np.uint16)
