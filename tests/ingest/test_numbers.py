"""Numbers that DVID cannot keep are refused before the first request, for each kind of data."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from tests.refusals import refused
from tests.unasked import UnaskedServer

from emseg.dvid import Labelmap, Node
from emseg.dvid.extents import set_extents
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import ingest_grayscale, ingest_labels, ingest_roi
from emseg.ingest.arrays import ArrayVolume

IMAGE = ArrayVolume(np.ones((4, 5, 6), np.uint8), "image")
INGEST: dict[str, Any] = {
    "grayscale": lambda node, size=(8, 8, 8), **place: ingest_grayscale(node, "bad", IMAGE, size, **place),
    "labels": lambda node, size=(8, 8, 8), **place: ingest_labels(node, "bad", IMAGE, size, **place),
    "roi": lambda node, **place: ingest_roi(node, "bad", IMAGE, **place),
}


@pytest.fixture
def node() -> Node:
    """A node of a server that must not be asked."""
    return Node(UnaskedServer(), "ab" * 16)


@pytest.mark.parametrize("kind", ["grayscale", "labels"])
@pytest.mark.parametrize("edge", [nan, inf, 0, -8, 8e-9, 1e39, None])
def test_a_voxel_size_that_is_none_is_refused(node: Node, kind: str, edge: Any) -> None:
    """Kills a check that comes after DVID made the instance, and one that grayscale has and labels lack."""
    with refused(PermanentError, "bad", "voxel size"):
        INGEST[kind](node, (8, edge, 8))


@pytest.mark.parametrize("kind", INGEST)
@pytest.mark.parametrize("offset", [(0, 0, -1), (-64, 0, 0), (0, 2**26, 0), (2**26 - 3, 0, 0), (0, 0.5, 0), (0, 0)])
def test_a_position_where_dvid_cannot_serve_voxels_is_refused(node: Node, kind: str, offset: Any) -> None:
    """Kills negative block coordinates: one question for such a body ends the server's process."""
    with refused(PermanentError, "bad", "offset"):
        INGEST[kind](node, offset=offset)


def test_a_region_without_blocks_is_refused(node: Node) -> None:
    """Kills an empty ROI, in which every run would have nothing to segment."""
    with refused(PermanentError, "nowhere", "no block"):
        ingest_roi(node, "nowhere", ArrayVolume(np.zeros((40, 40, 40), np.uint8), "mask"))


@pytest.mark.parametrize("max_scale", [-1, 11, 10**9])
def test_more_scales_than_there_can_be_are_refused(node: Node, max_scale: int) -> None:
    with refused(PermanentError, "'bad'", max_scale, 10):
        Labelmap(node, "bad").create(max_scale, (8, 8, 8))


@pytest.mark.parametrize("box", [Box((-1, 0, 0), (4, 4, 4)), Box((4, 4, 4), (4, 4, 4))])
def test_extents_below_zero_or_without_voxels_are_refused(node: Node, box: Box) -> None:
    with refused(PermanentError, "'bad'", box.start):
        set_extents(node, "bad", box, 64, lambda _: None)
