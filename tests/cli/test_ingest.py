"""`emseg ingest` as a user calls it: the file's own word, the summary, and a dry run that writes nothing."""

from __future__ import annotations

import uuid
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from emseg.cli import ingest
from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Grayscale, Node, create_repo
from emseg.errors import PermanentError
from emseg.geometry import Box

pytestmark = pytest.mark.services


@pytest.fixture
def node(devstack: DevStack, monkeypatch: pytest.MonkeyPatch) -> Node:
    server = DvidServer(devstack.dvid)
    monkeypatch.setattr(ingest, "dvid_server", lambda: server)
    return Node(server, create_repo(server, "test", "a test of emseg", uuid.uuid4().hex))


def _grayscale(node: Node, source: Path, *options: object) -> str:
    words = ["grayscale", str(source), "--node", node.uuid, *map(str, options)]
    done = CliRunner().invoke(ingest.cli, words)
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
