"""A repository of its own on the real DVID for every test that asks for one."""

from __future__ import annotations

import uuid

import pytest

from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Node, create_repo


@pytest.fixture
def node(devstack: DevStack) -> Node:
    """The open root node of a new repository."""
    server = DvidServer(devstack.dvid)
    return Node(server, create_repo(server, "test", "a test of emseg", uuid.uuid4().hex))
