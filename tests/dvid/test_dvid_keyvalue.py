"""Small values on the real server."""

from __future__ import annotations

import pytest

from emseg.dvid import KeyValue, Node, NotFoundError
from emseg.errors import PermanentError

pytestmark = pytest.mark.services


@pytest.fixture
def values(node: Node) -> KeyValue:
    kv = KeyValue(node, "values")
    kv.create()
    kv.create()
    return kv


@pytest.mark.parametrize("key", ["plain", "two words", "é?&=#+", "k" * 1000])
def test_a_value_comes_back_under_its_key(values: KeyValue, key: str) -> None:
    """Kills keys that are not quoted in the address."""
    values.put(key, b"\x00first")
    values.put(key, b"\x00second")
    values.put("z", b"other")
    assert values.get(key) == b"\x00second"
    assert values.keys() == tuple(sorted((key, "z")))


@pytest.mark.parametrize("key", ["", "a/b", "a%2Fb", "..", "k" * 1001])
def test_a_key_that_dvid_would_change_is_refused(values: KeyValue, key: str) -> None:
    """DVID drops what follows a slash, quoted or not (`a/b` would overwrite `a`), and lists `a%2Fb` garbled."""
    values.put("a", b"kept")
    for use in (lambda: values.put(key, b"new"), lambda: values.get(key)):
        with pytest.raises(PermanentError, match="Use another key"):
            use()
    assert values.get("a") == b"kept"


def test_an_empty_value_is_refused_and_a_missing_key_is_not_found(values: KeyValue) -> None:
    with pytest.raises(PermanentError, match="at least one byte"):
        values.put("a", b"")
    with pytest.raises(NotFoundError):
        values.get("a")
    assert values.keys() == ()


def test_another_kind_of_instance_is_refused(node: Node, labelmap: object) -> None:
    with pytest.raises(PermanentError, match="type labelmap"):
        KeyValue(node, "seg").create()
