"""Extents on the real server: what a node tells and what viewers are told, on side branches and of locked nodes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.dvid.early import tell_node_alone
from tests.refusals import refused

from emseg.dvid import (
    Grayscale,
    Labelmap,
    Node,
    indexed_labels,
    indices,
    mappings,
    post_indices,
    tell_viewers,
    write_blocks,
    write_brick,
)
from emseg.dvid.labels.block import pack_block
from emseg.errors import PermanentError
from emseg.geometry import Box

pytestmark = pytest.mark.services

BOX = Box((10, 0, 0), (100, 128, 190))
"""Not of whole blocks; 2 x 2 x 3 of them."""


def shown(labels: Labelmap) -> Box | None:
    """What neuroglancer reads: the record of all repositories, in the server's own words."""
    (record,) = [
        repo["DataInstances"]["seg"]
        for repo in labels.node.server.get_json("/api/repos/info").values()
        if repo and labels.node.uuid in repo["DAG"]["Nodes"]
    ]
    low, high = record["Extended"]["MinPoint"], record["Extended"]["MaxPoint"]
    return None if low is None else Box(low[::-1], tuple(last + 1 for last in reversed(high)))


@pytest.fixture
def branch(labelmap: Labelmap) -> Labelmap:
    """Body 5 in the first block and body 7 in the middle one of a side branch; nothing in the last block."""
    labelmap.node.commit("empty")
    side = Labelmap(labelmap.node.branch("side"), "seg")
    tables = [
        write_brick(side, 0, np.full((64,) * 3, label, np.uint64), block)
        for label, block in ((5, (0, 0, 0)), (7, (0, 0, 1)))
    ]
    for table in tables:
        post_indices(side, table)
    side.raise_max_label(7)
    return side


def everything(labels: Labelmap) -> list:
    """Blocks with a label, mappings, indices and largest label."""
    empty = pack_block(np.zeros((64,) * 3, np.uint64))
    blocks = {at: packed for at, packed in labels.stored_blocks(Box((0, 0, 0), (2, 2, 4)), 0) if packed != empty}
    rows = indices(labels, indexed_labels(labels).tolist())
    columns = [column.tolist() for column in (*mappings(labels), rows.body, rows.supervoxel, rows.block, rows.count)]
    return [blocks, columns, labels.max_label()]


def test_viewers_are_told_the_extents_of_a_side_branch(branch: Labelmap) -> None:
    """Kills POST /extents alone (viewers find no extents), indexed posts (sizes double), extents of whole blocks."""
    before = everything(branch)
    tell_node_alone(branch.node, "seg", BOX)
    assert shown(branch) is None, "the fault that is mended: if this fails, DVID has learned to tell it"
    for _ in range(2):
        branch.set_extents(BOX)
        assert branch.info().extents == BOX
        assert shown(branch) == BOX.covering(64) == branch.node.repo().instances["seg"].shown
        assert everything(branch) == before


def test_a_node_that_inherits_extents_tells_viewers_too(branch: Labelmap) -> None:
    """Kills posting the corner blocks alone: they do not make inherited extents larger, so viewers are not told."""
    tell_node_alone(branch.node, "seg", BOX)
    branch.node.commit("told to the node alone")
    child = Labelmap(branch.node.branch("next"), "seg")
    child.set_extents(BOX)
    assert (child.info().extents, shown(child)) == (BOX, BOX.covering(64))


def test_what_viewers_are_told_covers_all_branches(branch: Labelmap) -> None:
    """Kills extents of the branch that was written last: the others would be cut off."""
    other = Labelmap(Node(branch.node.server, branch.node.info().parents[0]).branch("other"), "seg")
    branch.set_extents(Box((0, 0, 0), (64, 64, 64)))
    other.set_extents(Box((64, 0, 128), (100, 64, 192)))
    assert shown(branch) == Box((0, 0, 0), (128, 64, 192))
    assert other.info().extents == Box((64, 0, 128), (100, 64, 192))


def test_a_writer_that_comes_again_takes_an_empty_corner_for_none(branch: Labelmap) -> None:
    """Kills a retry that takes the corner block of its own first try for somebody else's."""
    branch.set_extents(BOX)
    blocks = [((0, 0, 0), pack_block(np.full((64,) * 3, 5, np.uint64)))]
    middle = dict(branch.stored_blocks(Box((0, 0, 1), (1, 1, 2)), 0))
    assert write_blocks(branch, 0, blocks, Box((0, 0, 0), (2, 2, 3)), middle) == 1


def test_viewers_are_told_of_locked_nodes_through_a_branch(branch: Labelmap) -> None:
    """Kills mending that changes the release: its node has the same blocks, and the same extents, as before."""
    tell_node_alone(branch.node, "seg", BOX)
    branch.node.commit("an early release")
    before, server = everything(branch), branch.node.server
    for _ in range(2):
        assert tell_viewers(server, branch.node.uuid, "seg") == BOX
        assert (shown(branch), branch.info().extents) == (BOX.covering(64), BOX)
        assert everything(branch) == before
    (made,) = branch.node.info().children
    assert everything(Labelmap(Node(server, made), "seg")) == before
    Node(server, made).commit("somebody else's commit")
    tell_viewers(server, branch.node.uuid, "seg")
    assert len(branch.node.info().children) == 2


def test_extents_that_master_tells_cannot_be_mended_elsewhere(labelmap: Labelmap) -> None:
    """Kills a success that is none: DVID tells viewers what the newest node of master says."""
    tell_node_alone(labelmap.node, "seg", Box.of_shape((64, 64, 64)))
    labelmap.node.commit("master tells less")
    side = Labelmap(labelmap.node.branch("side"), "seg")
    tell_node_alone(side.node, "seg", BOX)
    side.node.commit("an early release")
    with refused(PermanentError, "node of master"):
        tell_viewers(side.node.server, side.node.uuid, "seg")


def test_an_open_node_or_one_without_extents_is_refused(branch: Labelmap) -> None:
    server = branch.node.server
    with refused(PermanentError, "open"):
        tell_viewers(server, branch.node.uuid, "seg")
    branch.node.commit("no extents")
    with refused(PermanentError, "tells no extents"):
        tell_viewers(server, branch.node.uuid, "seg")


def test_grayscale_is_told_too(node: Node) -> None:
    """Grayscale of other programs, with extents in its node alone: its voxels stay as they are."""
    gray = Grayscale(node, "seg")
    gray.create((8.0, 8.0, 8.0))
    node.commit("empty")
    side = Grayscale(node.branch("side"), "seg")
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 128)).astype(np.uint8)
    box = Box.of_shape(image.shape)
    for x in (0, 1):  # whole blocks one by one, as with PUT of blocks: no extents follow
        block = image[:, :, 64 * x : 64 * (x + 1)].tobytes()
        side.node.server.post(side.node.path("seg", "blocks", f"{x}_0_0", "1"), block)
    tell_node_alone(side.node, "seg", box)
    side.node.commit("made elsewhere")
    assert shown(side) is None
    tell_viewers(node.server, side.node.uuid, "seg")
    assert shown(side) == box
    assert np.array_equal(side.read(box), image)
