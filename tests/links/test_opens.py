"""Links in neuroglancer's own client over a real DVID: bodies in pixels, on a side branch, also after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.dvid.early import tell_node_alone
from tests.links.viewer import browser, magenta, pixels, textured
from tests.pipeline.browser import chromium

from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer, Labelmap, Node, create_repo, post_indices, tell_viewers, write_brick
from emseg.geometry import ORIGIN, Box
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.links import Layer, neuroglancer_link

pytestmark = [pytest.mark.services, pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")]

ROOT, SIDE = "a" * 32, "b" * 32
SIZE_NM = (10.0, 10.0, 10.0)
BOX = Box.of_shape((64, 128, 128))
BODY = 5
"""Neuroglancer paints it magenta, and the other body, 3, green."""

SHARE = 0.15
"""The body fills more of every panel than this, of the 3-D panel too: it shows the sections."""


@pytest.fixture
def own_root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "viewed"
    down(tmp_path / "viewed")


@pytest.fixture
def stack(own_root: Path, tools: Path, devstack: DevStack) -> DevStack:  # devstack: skipped where it cannot be built
    """Grayscale in a committed root with an open child on master; on a side branch labels of now and of early emseg."""
    started = up(own_root, tools)
    server = DvidServer(started.dvid)
    root = Node(server, create_repo(server, "viewed", "a test of emseg", root=ROOT))
    image = np.random.default_rng(1).integers(90, 160, BOX.shape).astype(np.uint8)
    ingest_grayscale(root, "grayscale", ArrayVolume(image, "grayscale"), SIZE_NM)
    root.commit("grayscale")
    server.post_json(root.path("newversion"), {"note": "somebody goes on"})
    labels = np.full(BOX.shape, 3, np.uint64)
    labels[8:56, 16:112, 16:112] = BODY
    side = root.branch("side", uuid=SIDE)
    ingest_labels(side, "segmentation", ArrayVolume(labels, "labels"), SIZE_NM)
    early = Labelmap(side, "early")
    early.create(1, SIZE_NM)
    post_indices(early, write_brick(early, 0, labels, ORIGIN))
    tell_node_alone(side, "early", BOX)
    side.commit("released")
    return started


def link(stack: DevStack, instance: str) -> str:
    layers = Layer(SIDE, "grayscale"), Layer(SIDE, instance, (BODY,))
    return neuroglancer_link(
        stack.dvid_url, *layers, position_vox=(32.5, 64.5, 64.5), span_nm=1280.0, voxel_size_nm=SIZE_NM
    )


def test_bodies_are_seen_before_and_after_a_restart(
    stack: DevStack, own_root: Path, tools: Path, tmp_path: Path
) -> None:
    """Kills extents that DVID tells viewers of master only, or forgets; a link that opens and shows nothing."""
    with browser() as opened:
        seen = pixels(opened, link(stack, "segmentation"), tmp_path / "now.png", SHARE)
        assert textured(seen), "the grayscale, too"
        assert magenta(seen) >= SHARE, f"see {tmp_path / 'now.png'}"

        missing = pixels(opened, link(stack, "early"), tmp_path / "early.png", SHARE, timeout_s=6)
        assert magenta(missing) == 0, "the fault that `tell_viewers` mends: DVID tells no extents"
        tell_viewers(DvidServer(stack.dvid), SIDE, "early")
        assert magenta(pixels(opened, link(stack, "early"), tmp_path / "mended.png", SHARE)) >= SHARE

        down(own_root)
        assert up(own_root, tools) == stack
        for instance in ("segmentation", "early"):
            after = pixels(opened, link(stack, instance), tmp_path / f"{instance}-restarted.png", SHARE)
            assert magenta(after) >= SHARE, f"{instance} after a restart of DVID"
            assert textured(after), "the grayscale after a restart of DVID"
