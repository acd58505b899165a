"""Values under names, of the real server."""

from __future__ import annotations

import pytest
from tests.refusals import refused

from emseg.codec.swc import read_swc
from emseg.dvid import KeyValues, Labelmap, Node, NodeLockedError, NotFoundError
from emseg.dvid.instances import create_instance
from emseg.errors import PermanentError

pytestmark = pytest.mark.services


def test_skeletons_that_were_posted_are_read(node: Node) -> None:
    """Kills keys in the server's quotes, and values that are decoded on the way."""
    create_instance(node, "skeletons", "keyvalue", {})
    values = KeyValues(node, "skeletons")
    assert values.keys() == []
    for key, value in {"7_swc": b"1 0 1 2 3 1 -1\n", "12 b_swc": b"\xff\x00"}.items():
        node.server.post(node.path("skeletons", "key", key), value)
    assert values.keys() == ["12 b_swc", "7_swc"]
    assert values.read("12 b_swc") == b"\xff\x00"
    assert read_swc(values.read("7_swc"), (8.0, 8.0, 8.0), "7_swc").nodes_nm.tolist() == [[24, 16, 8]]
    with refused(NotFoundError, "8_swc"):
        values.read("8_swc")


def test_what_was_written_is_read_and_another_kind_of_instance_is_left_alone(node: Node, labelmap: Labelmap) -> None:
    """Kills a second write that is refused or added, and a value that goes into the labelmap of that name."""
    values = KeyValues(node, "figures")
    for value in (b"{}", b'{"a": 1}'):
        values.write("demo", value)
        assert values.read("demo") == value
    assert values.keys() == ["demo"]
    with refused(PermanentError, "labelmap", "DELETE"):
        KeyValues(node, "seg").write("demo", b"{}")
    node.commit("done")
    with refused(NodeLockedError, node.uuid):
        values.write("demo", b"late")
    child = KeyValues(node.branch("later"), "figures")
    child.write("demo", b"newer")
    assert (values.read("demo"), child.read("demo")) == (b'{"a": 1}', b"newer")


def test_another_kind_of_instance_and_a_key_with_a_slash_are_refused(node: Node, labelmap: Labelmap) -> None:
    """Kills `a/b`, for which the server answers with the value of `a`."""
    with refused(PermanentError, "labelmap"):
        KeyValues(node, "seg").keys()
    with refused(PermanentError, "a/b"):
        KeyValues(node, "seg").read("a/b")
