"""Bodies that a run inherits: what DVID does to one that was renamed and back is refused, and no other."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.refusals import refused

from emseg.dvid import Labelmap, Node, create_repo, post_indices, post_mappings, write_brick
from emseg.dvid.labels.inherited import require_whole_bodies
from emseg.errors import PermanentError
from emseg.geometry import Box

pytestmark = pytest.mark.services

BOX = Box.of_shape((64, 64, 128))


@pytest.fixture
def labelmap(server) -> Labelmap:
    """Body 5 of supervoxels 5 and 6, and body 7."""
    found = Labelmap(Node(server, create_repo(server, "inherited", "renamed bodies")), "bodies")
    found.create(0, (8, 8, 8))
    labels = np.full(BOX.shape, 7, np.uint64)
    labels[:, :, :40], labels[:, :, 40:80] = 5, 6
    rows = write_brick(found, 0, labels, (0, 0, 0))
    post_mappings(found, {5: np.array([6], np.uint64)}, bool)
    post_indices(found, replace(rows, body=np.where(rows.supervoxel == 6, np.uint64(5), rows.supervoxel)))
    found.set_extents(BOX)
    return found


def renamed(labelmap: Labelmap, new: int, old: int) -> None:
    labelmap.node.server.post_json(labelmap.node.path(labelmap.instance, "renumber"), [new, old])


def test_a_body_that_was_renamed_and_back_is_refused_and_the_remedy_mends_it(labelmap):
    """Kills a run that takes voxels out of an index which DVID no longer shows, and fails after hours."""
    renamed(labelmap, 100, 5)
    require_whole_bodies(labelmap)
    renamed(labelmap, 5, 100)
    assert (labelmap.read(BOX) == 0).any(), "DVID mends this by itself now: the check can go"
    with refused(PermanentError, labelmap.node.uuid, 5):
        require_whole_bodies(labelmap)
    labelmap.node.commit("renamed")
    child = Labelmap(labelmap.node.branch("mended"), labelmap.instance)
    post_mappings(child, {5: np.array([5], np.uint64)}, bool)
    require_whole_bodies(child)
    assert np.unique(child.read(BOX)).tolist() == [5, 7]


def test_a_cleaved_body_is_as_good_as_any(labelmap):
    """Its name is mapped to 0 as well. Kills a check that refuses every proofread version."""
    answer = labelmap.node.server.post_json(labelmap.node.path(labelmap.instance, "cleave", "5"), [6])
    assert json.loads(answer)["CleavedLabel"] in labelmap.read(BOX)
    require_whole_bodies(labelmap)
