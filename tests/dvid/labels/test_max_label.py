"""The largest label on the real server: what proofreaders' new ids begin from, also after a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from emseg.devstack import DevStack, down, up
from emseg.dvid import DvidServer, IndexTable, Labelmap, Node, create_repo, post_indices, post_mappings
from emseg.dvid.errors import AdministratorOnlyError
from emseg.dvid.labels.block import pack_block

pytestmark = pytest.mark.services

SUPERVOXELS = np.array([7, 9], np.uint64)
BODY = np.array([7, 7], np.uint64)
TABLE = IndexTable(np.zeros((2, 3), np.int32), SUPERVOXELS, BODY, np.array([100, 28], np.uint32))


class NoAdministrator(DvidServer):
    """A server that keeps POST /maxlabel for administrators, as later builds do."""

    def post(self, path: str, body: bytes, params: Mapping[str, str] | None = None, repeatable: bool = False) -> bytes:
        if "/maxlabel/" in path:
            raise AdministratorOnlyError("talking to DVID", path, "HTTP 400", "")
        return super().post(path, body, params, repeatable)


def completed(labelmap: Labelmap) -> Labelmap:
    """The labelmap with one body of two supervoxels; the larger one is no body."""
    block = np.full((64,) * 3, 7, np.uint64)
    block[0, 0, :28] = 9
    labelmap.ingest_supervoxels(0, [((0, 0, 0), pack_block(block))])
    post_mappings(labelmap, {7: SUPERVOXELS})
    post_indices(labelmap, TABLE)
    return labelmap


def said(labelmap: Labelmap, what: str) -> int:
    return int(labelmap.node.server.get_json(labelmap.node.path("seg", what))[what])


def cleaved(labelmap: Labelmap) -> int:
    answer = labelmap.node.server.post_json(labelmap.node.path("seg", "cleave", "7"), [9])
    return int(json.loads(answer)["CleavedLabel"])


def test_a_proofreaders_new_body_is_not_a_supervoxel_that_is_there(labelmap: Labelmap) -> None:
    """Oracle: the server's own cleave. With indices alone it gave out 8, and the next would have been supervoxel 9."""
    completed(labelmap)
    assert said(labelmap, "maxlabel") == 7
    labelmap.raise_max_label(9)
    assert said(labelmap, "maxlabel") == 9
    assert cleaved(labelmap) == 10


def test_a_child_has_its_own_largest_label_and_it_never_falls(labelmap: Labelmap) -> None:
    """Kills a child that begins from its own smaller labels, though it inherits larger ones."""
    labelmap.raise_max_label(50)
    labelmap.node.commit("done")
    child = Labelmap(labelmap.node.branch("run-1"), "seg")
    completed(child).raise_max_label(max(9, labelmap.max_label()))
    assert said(child, "maxlabel") == 50
    child.raise_max_label(12)
    assert said(child, "maxlabel") == 50


def test_where_only_administrators_may_say_it_the_ids_are_reserved(devstack: DevStack, labelmap: Labelmap) -> None:
    """The refusal is played, the reservation is the real server's."""
    completed(labelmap)
    modest = Labelmap(Node(NoAdministrator(devstack.dvid), labelmap.node.uuid), "seg")
    for _ in range(2):
        modest.raise_max_label(9)
        assert said(labelmap, "maxlabel") == 9
    assert cleaved(labelmap) == 10


def test_a_restart_changes_no_next_label(tools: Path, tmp_path: Path, devstack: DevStack) -> None:
    """Kills labels written without a largest one: after a restart the server would begin at 10 000 000 001 for good."""
    uuid = uuid4().hex
    for start in ("first", "second"):
        stack = up(tmp_path, tools)
        try:
            server = DvidServer(stack.dvid)
            if start == "first":
                labelmap = Labelmap(Node(server, create_repo(server, "restart", "a test of emseg", uuid)), "seg")
                labelmap.create(1, (8.0, 8.0, 8.0))
                completed(labelmap).raise_max_label(9)
            else:
                labelmap = Labelmap(Node(server, uuid), "seg")
                assert (said(labelmap, "maxlabel"), said(labelmap, "nextlabel")) == (9, 10)
                assert cleaved(labelmap) == 10
        finally:
            down(tmp_path)
