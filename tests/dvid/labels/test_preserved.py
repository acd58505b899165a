"""Where bodies lie, asked of the real server."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.dvid import Labelmap, post_mappings, voxels_of_bodies, write_brick
from emseg.dvid.labels import preserved as module
from emseg.geometry import Box

pytestmark = pytest.mark.services


@pytest.mark.parametrize("read_vox", [1, 64**3, module.READ_VOX])
def test_voxels_of_all_supervoxels_of_a_body_are_found_in_any_box(
    labelmap: Labelmap, monkeypatch: pytest.MonkeyPatch, read_vox: int
) -> None:
    """Kills supervoxels taken for bodies, parts put at the wrong voxels, and boxes that must be aligned."""
    monkeypatch.setattr(module, "READ_VOX", read_vox)
    large = 1 << 47
    labels = np.random.default_rng(3).choice(np.array([0, 1, 2, 3, large], np.uint64), (64, 128, 128))
    write_brick(labelmap, 0, labels, (0, 0, 0))
    post_mappings(labelmap, {2: np.array([1], np.uint64)})
    box = Box((5, 30, 60), (70, 100, 128))
    expected = np.zeros(box.shape, bool)
    expected[:59] = np.isin(labels[5:, 30:100, 60:], np.array([1, 2, large], np.uint64))
    np.testing.assert_array_equal(voxels_of_bodies(labelmap, (2, large), box), expected)
    assert not voxels_of_bodies(labelmap, (1,), box).any()


def test_without_bodies_nothing_is_read(labelmap: Labelmap) -> None:
    """Kills a request a subvolume in runs that preserve nothing: this instance does not even exist."""
    missing = Labelmap(labelmap.node, "missing")
    assert voxels_of_bodies(missing, (), Box.of_shape((4, 5, 6))).shape == (4, 5, 6)
