"""A repository of its own on the real DVID for every test that asks for one."""

from __future__ import annotations

import uuid

import pytest

from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Labelmap, Node, create_repo
from emseg.dvid.repetition import Patience


@pytest.fixture(scope="session")
def server(devstack: DevStack) -> DvidServer:
    return DvidServer(devstack.dvid, patience=Patience(first_pause_s=0.01))


@pytest.fixture
def node(server: DvidServer) -> Node:
    """The open root node of a new repository."""
    return Node(server, create_repo(server, "test", "a test of emseg", uuid.uuid4().hex))


@pytest.fixture
def labelmap(node: Node) -> Labelmap:
    """An empty labelmap with scales 0 to 2 in the open root node."""
    labels = Labelmap(node, "seg")
    labels.create(2, (8.0, 8.0, 8.0))
    return labels
