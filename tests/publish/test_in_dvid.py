"""Releases against the real DVID: what contradicts it is told, and a record of which nothing is left is read back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from tests.publish.test_publish_release import publish
from typer.testing import CliRunner

from emseg.cli import releases as command
from emseg.publish import releases, roll_back
from emseg.publish.chain import copy_key, number_key, sealed
from emseg.store import FolderStore
from emseg.tasks.releases import check_releases, repair_releases

pytestmark = pytest.mark.services


@pytest.fixture
def kept(tmp_path: Path, new_node, verdict_of) -> FolderStore:
    """Two releases, and a rollback to the first."""
    store = FolderStore(tmp_path / "store")
    publish(store, new_node(), verdict_of("f1"))
    publish(store, new_node(), verdict_of("f2"))
    roll_back(store, "demo", 1, "ana", "axons are cut")
    return store


@pytest.mark.parametrize("lost", [1, 2])
def test_a_record_without_a_copy_is_read_back_from_the_log_of_its_node(kept, server, lost):
    before = {key: kept.get(key) for key in kept.keys_under("")}
    record = releases(kept, "demo")[lost - 1]
    kept.delete(number_key("demo", lost))
    kept.delete(copy_key(record))
    mended, left = repair_releases(kept, server, "demo")
    assert left == []
    assert {fault.key for fault in mended} == {number_key("demo", lost), copy_key(record)}
    assert {key: kept.get(key) for key in kept.keys_under("")} == before


def test_a_record_that_contradicts_dvid_is_told(kept, server, new_node):
    assert check_releases(kept, server, "demo") == []
    last = releases(kept, "demo")[-1]
    for uuid in (new_node().uuid, "f" * 32):
        wrong = last.model_copy(update={"uuid": uuid})
        for key in (number_key("demo", 3), copy_key(wrong), "demo/releases/current.json"):
            kept.put(key, sealed(wrong, key))
        (fault,) = check_releases(kept, server, "demo")
        assert fault.key == number_key("demo", 3)
        assert uuid in fault.found


def test_the_commands_tell_and_mend(kept, server, monkeypatch):
    """Kills a check that mends, an exit code 0 beside faults, and a repair that says nothing."""
    monkeypatch.setattr(command, "connected", lambda: SimpleNamespace(store=kept, server=server))
    kept.delete("demo/releases/current.json")
    checked = CliRunner().invoke(_cli(), ["check", "demo"], catch_exceptions=False)
    assert checked.exit_code == 1
    assert "current.json" in checked.output.replace("\n", "")
    assert not kept.exists("demo/releases/current.json")
    for name in ("repair", "check"):
        assert CliRunner().invoke(_cli(), [name, "demo"], catch_exceptions=False).exit_code == 0


def _cli() -> typer.Typer:
    return command.cli
