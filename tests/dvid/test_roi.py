"""Regions of interest on the real server."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emseg.dvid import Node, RoiInstance
from emseg.dvid.coordinates import xyz_text
from emseg.errors import PermanentError
from emseg.geometry import Box, Roi

pytestmark = pytest.mark.services


@pytest.fixture
def region(node: Node) -> RoiInstance:
    roi = RoiInstance(node, "roi")
    roi.create(16)
    return roi


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 9)), min_size=1, max_size=60))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_region_comes_back_and_replaces_the_one_before(
    region: RoiInstance, blocks: list[tuple[int, int, int]]
) -> None:
    """Kills runs that go on over a row's end, and an exclusive last block."""
    roi = Roi.of_blocks(blocks, 16)
    region.write(roi)
    assert region.read().digest == roi.digest


def test_the_server_masks_the_voxels_that_we_mean(region: RoiInstance) -> None:
    """Oracle: DVID's own mask. Kills turned axes."""
    roi = Roi.of_blocks([[0, 0, 0], [0, 0, 1], [0, 2, 1], [1, 0, 3], [1, 1, 0]], 16)
    region.write(roi)
    box = Box((-5, 3, 2), (30, 45, 70))
    where = region.node.path("roi", "mask", "0_1_2", xyz_text(box.shape), xyz_text(box.start))
    mask = np.frombuffer(region.node.server.get(where, expected_bytes=box.voxels), np.uint8).reshape(box.shape)
    np.testing.assert_array_equal(mask.astype(bool), roi.mask(box))


def test_blocks_of_another_size_are_refused(node: Node, region: RoiInstance) -> None:
    """Kills a region that silently shrinks or grows."""
    RoiInstance(node, "roi").create(16)
    for use in (lambda: region.write(Roi.of_blocks([[0, 0, 0]], 32)), lambda: RoiInstance(node, "roi").create(32)):
        with pytest.raises(PermanentError) as caught:
            use()
        assert "16" in caught.value.found


def test_another_kind_of_instance_is_refused(node: Node, labelmap: object) -> None:
    with pytest.raises(PermanentError) as caught:
        RoiInstance(node, "seg").read()
    assert "labelmap" in caught.value.found
