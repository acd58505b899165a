"""Which values of a keyvalue instance are skeletons, and how many nodes there may be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.refusals import refused

from emseg.dvid import skeletons as module
from emseg.dvid.skeletons import read_skeletons
from emseg.errors import PermanentError

TWO = b"1 0 10 20 30 1 -1\n2 0 10 20 34 1 1\n"
UNIT_NM = (40.0, 8.0, 8.0)


def instance(**values: bytes) -> Any:
    node = SimpleNamespace(uuid="abcd")
    return SimpleNamespace(instance="skeletons", node=node, keys=lambda: sorted(values), read=values.__getitem__)


def test_keys_that_end_in_swc_are_read_and_no_other() -> None:
    """Kills meshes and indices that are taken for skeletons, and positions in another order of the axes."""
    found = read_skeletons(instance(**{"7_swc": TWO, "12.swc": TWO, "7_info": b"{}"}), UNIT_NM)
    assert list(found) == ["12.swc", "7_swc"]
    assert found["7_swc"].nodes_nm.tolist() == [[1200, 160, 80], [1360, 160, 80]]


def test_what_is_no_skeleton_and_an_instance_without_any_are_refused_by_name() -> None:
    """Kills scores of fewer skeletons than there are."""
    with refused(PermanentError, "skeletons", "abcd", "9_swc"):
        read_skeletons(instance(**{"7_swc": TWO, "9_swc": b"{}"}), UNIT_NM)
    with refused(PermanentError, "skeletons", "abcd", "7_swc"):
        read_skeletons(instance(info=b""), UNIT_NM)


def test_more_nodes_than_workers_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a worker that runs out of memory; and a limit for each skeleton in place of all."""
    monkeypatch.setattr(module, "MOST_NODES", 4)
    assert len(read_skeletons(instance(**{"7_swc": TWO, "8_swc": TWO}), UNIT_NM)) == 2
    with refused(PermanentError, "skeletons", "more than 4 nodes"):
        read_skeletons(instance(**{"7_swc": TWO, "8_swc": TWO, "9_swc": TWO}), UNIT_NM)
