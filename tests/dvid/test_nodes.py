"""Repositories and nodes on the real server: made once, found again after a lost answer, locked for good."""

from __future__ import annotations

import json
import uuid

import numpy as np
import pytest

from emseg.devstack import DevStack
from emseg.dvid import (
    DvidServer,
    Grayscale,
    Labelmap,
    Node,
    NodeLockedError,
    NotFoundError,
    RoiInstance,
    create_repo,
    delete_indices,
    post_mappings,
    repo_info,
    resolve_locked_node,
    resolve_node,
)
from emseg.dvid.labels.block import pack_block
from emseg.errors import PermanentError, TransientError
from emseg.geometry import Box, Roi

pytestmark = pytest.mark.services

VOXEL_NM = (8.0, 8.0, 8.0)


class LosesAnswers(DvidServer):
    """Sends every POST, and loses the answer."""

    def post(self, *args: object, **kwargs: object) -> bytes:
        super().post(*args, **kwargs)  # type: ignore[arg-type]
        raise TransientError("talking to DVID", str(args[0]), "the answer was lost", "try again")


@pytest.fixture
def losing(devstack: DevStack) -> DvidServer:
    return LosesAnswers(devstack.dvid)


def test_a_repo_with_a_given_root_is_made_once(server: DvidServer) -> None:
    """Kills a retry that leaves a second repository: DVID cannot delete one."""
    root = uuid.uuid4().hex
    assert create_repo(server, "mine", "first", root) == root
    assert create_repo(server, "mine", "first", root) == root
    with pytest.raises(PermanentError) as caught:
        create_repo(server, "other", "second", root)
    assert root in caught.value.on
    assert "'mine'" in caught.value.found


def test_a_repo_without_a_root_is_a_new_one_each_time(server: DvidServer) -> None:
    assert create_repo(server, "mine", "a") != create_repo(server, "mine", "a")


def test_the_record_of_a_repo_names_nodes_by_uuid_and_instances_by_type(server: DvidServer, node: Node) -> None:
    """Kills reading DVID's version numbers as the graph of nodes."""
    RoiInstance(node, "region").create()
    node.commit("done")
    child = node.branch("run-1", note="for run 1")
    grandchild_parent = repo_info(server, child.uuid).nodes[child.uuid]
    repo = repo_info(server, node.uuid[:12])
    assert repo.root == node.uuid
    assert repo.alias == "test"
    assert repo.nodes[node.uuid].children == (child.uuid,)
    assert (grandchild_parent.parents, grandchild_parent.branch, grandchild_parent.locked) == (
        (node.uuid,),
        "run-1",
        False,
    )
    assert repo.nodes[node.uuid].note == "done"
    assert repo.instances["region"].type == "roi"
    assert len(repo.instances["region"].data_uuid) == 32


def test_a_commit_locks_the_node_and_may_be_asked_for_again(node: Node) -> None:
    """Kills an empty body (DVID refuses it), and a retry that fails because the first try had succeeded."""
    assert node.log() == ()
    node.commit("release 1", ["metrics: good", "by: test"])
    node.commit("release 1", ["metrics: good", "by: test"])
    assert node.info().locked
    assert [line.split("  ")[-1] for line in node.log()] == ["release 1", "metrics: good", "by: test"]
    with pytest.raises(NodeLockedError) as caught:
        node.commit("release 2")
    assert "'release 1'" in caught.value.found


def test_a_node_knows_the_instances_of_its_repository(server: DvidServer, node: Node) -> None:
    """Kills an unknown node that is taken for one without the instance."""
    Labelmap(node, "seg").create(1, (8, 8, 8))
    node.commit("done")
    assert node.branch("run-1").has("seg")
    assert not node.has("nothing")
    with pytest.raises(NotFoundError):
        Node(server, "f" * 32).has("seg")


def test_a_lost_answer_to_a_branch_is_made_good(losing: DvidServer, node: Node) -> None:
    """Kills a second branch, or a run that can never go on, after the answer to the first /branch was lost."""
    node.commit("done")
    made = Node(losing, node.uuid).branch("run-1")
    assert made.uuid == node.branch("run-1").uuid
    assert resolve_node(node.server, f"{node.uuid}:run-1").uuid == made.uuid


def test_a_branch_with_a_given_uuid_is_that_node_or_an_error(node: Node) -> None:
    node.commit("done")
    wanted = uuid.uuid4().hex
    assert node.branch("run-1", wanted).uuid == wanted
    assert node.branch("run-1", wanted).uuid == wanted
    with pytest.raises(PermanentError) as caught:
        node.branch("run-1", uuid.uuid4().hex)
    assert caught.value.doing == "branching a node"
    assert wanted in caught.value.found


def test_a_branch_that_hangs_elsewhere_is_not_taken(node: Node) -> None:
    """Kills adoption by name alone: the results would land on another parent's data."""
    node.commit("one")
    first = node.branch("run-1")
    first.commit("two")
    second = node.branch("other")
    second.commit("three")
    with pytest.raises(PermanentError) as caught:
        second.branch("run-1")
    assert first.uuid in caught.value.found


def test_an_open_node_has_no_branches(node: Node) -> None:
    """Kills taking DVID's `unlocked node` for its `locked node`."""
    with pytest.raises(PermanentError) as caught:
        node.branch("run-1")
    assert not isinstance(caught.value, NodeLockedError)


def next_version(node: Node) -> str:
    """A child on the same branch, as proofreaders make one to go on working; emseg itself makes branches only."""
    return str(json.loads(node.server.post_json(node.path("newversion"), {"note": "go on"}))["child"])


def test_references_resolve_to_full_uuids(server: DvidServer, node: Node) -> None:
    node.commit("one")
    run = node.branch("run-1")
    run.commit("two")
    open_leaf, master_leaf = next_version(run), next_version(node)
    assert resolve_node(server, node.uuid[:10]).uuid == node.uuid
    assert resolve_node(server, f"{node.uuid[:10]}:run-1").uuid == open_leaf
    assert resolve_node(server, f"{node.uuid}:master").uuid == master_leaf
    assert resolve_locked_node(server, f"{node.uuid}:run-1").uuid == run.uuid
    assert resolve_locked_node(server, f"{node.uuid}:master").uuid == node.uuid
    assert resolve_locked_node(server, run.uuid[:10]).uuid == run.uuid


def test_an_open_node_cannot_be_pinned(server: DvidServer, node: Node) -> None:
    """Kills reading from a node that may change under the run, above all a fresh branch of a locked parent."""
    for reference in (node.uuid, f"{node.uuid}:master"):
        with pytest.raises(PermanentError) as caught:
            resolve_locked_node(server, reference)
        assert caught.value.on == f"reference {reference}, node {node.uuid}"
    node.commit("one")
    fresh = node.branch("run-1")
    with pytest.raises(PermanentError) as caught:
        resolve_locked_node(server, f"{fresh.uuid}:run-1")
    assert caught.value.on == f"reference {fresh.uuid}:run-1, node {fresh.uuid}"


@pytest.mark.parametrize("reference", ["ffffffffffff", "{node}:no-such-branch", "zz"])
def test_what_is_not_there_is_not_found(server: DvidServer, node: Node, reference: str) -> None:
    with pytest.raises(NotFoundError):
        resolve_node(server, reference.format(node=node.uuid))


def test_nothing_is_written_to_a_locked_node(node: Node, labelmap: Labelmap) -> None:
    """DVID says so in a 400 like any other; kills mistaking it for a wrong request, or for a fault to retry."""
    gray, region, labels = Grayscale(node, "gray"), RoiInstance(node, "region"), np.full((64,) * 3, 5, np.uint64)
    gray.create(VOXEL_NM)
    region.create()
    node.commit("done")
    block = Box.of_shape((64, 64, 64))
    writes = (
        lambda: gray.write(block, np.zeros(block.shape, np.uint8)),
        lambda: gray.set_extents(block),
        lambda: labelmap.ingest_supervoxels(0, [((0, 0, 0), pack_block(labels))]),
        lambda: post_mappings(labelmap, {5: np.array([5, 6], np.uint64)}),
        lambda: delete_indices(labelmap, [5]),
        lambda: labelmap.set_extents(block),
        lambda: region.write(Roi.of_blocks([[0, 0, 0]])),
        lambda: Grayscale(node, "another").create(VOXEL_NM),
    )
    for write in writes:
        with pytest.raises(NodeLockedError):
            write()
    assert gray.read(block).sum() == 0
    assert not list(labelmap.stored_blocks(Box.of_shape((1, 1, 1)), 0))
