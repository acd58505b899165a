"""A result replaces only the release that it was compared with: one that came meanwhile may be better."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.damage.finished_run import CommittedNode
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.publish import publish_release, releases, roll_back
from emseg.publish import release as publisher
from emseg.quality import Verdict
from emseg.store import FolderStore


class OpenNode(CommittedNode):
    """A node that is not committed yet; a commit is noted."""

    committed = False

    def is_locked(self) -> bool:
        return self.committed

    def commit(self, *_) -> None:
        self.committed = True


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def published(store: FolderStore, fingerprint: str, replaces: str | None, node: CommittedNode | None = None):
    given = {"fingerprint": fingerprint, "dataset": "demo", "run": f"of-{fingerprint}", "figures": {}, "rows": ()}
    verdict = Verdict(passed=True, reasons=(), replaces=replaces, **given)
    node = node or OpenNode(fingerprint)
    more = {"fingerprint": fingerprint, "root": "ab", "branch": "run-1", "instance": "seg", "before_commit": bool}
    return publish_release(store, node, verdict, **more)


def test_a_result_follows_the_release_that_it_was_compared_with(store):
    assert published(store, "a1", "").number == 1
    assert published(store, "b2", "a1").number == 2
    assert published(store, "c3", None).number == 3
    assert published(store, "b2", "a1").number == 2  # a retry, when others have published since


@pytest.mark.parametrize("replaces", ["", "a1"])
def test_a_release_that_came_meanwhile_is_not_replaced_and_nothing_is_committed(store, replaces):
    """Kills two runs at once that are both compared with release 1: the worse one would come last and be served."""
    published(store, "a1", "")
    published(store, "b2", "a1")
    node = OpenNode("c3")
    with refused(PermanentError, "of-c3", "release 2"):
        published(store, "c3", replaces, node)
    assert not node.committed
    assert published(store, "c3", "b2", node).number == 3


def test_a_rollback_that_came_meanwhile_counts(store):
    published(store, "a1", "")
    published(store, "b2", "a1")
    roll_back(store, "demo", 1, "ana", "axons are cut")
    with refused(PermanentError, "of-c3", "release 3"):
        published(store, "c3", "b2")
    assert published(store, "c3", "a1").number == 4


def test_a_release_that_comes_between_the_look_and_the_number_is_not_replaced(store, monkeypatch):
    """Kills a check before the commit alone: the number is taken later."""
    published(store, "a1", "")
    commit = publisher._commit

    def overtaken(*arguments) -> None:
        monkeypatch.setattr(publisher, "_commit", commit)
        published(store, "b2", "a1")
        commit(*arguments)

    monkeypatch.setattr(publisher, "_commit", overtaken)
    node = OpenNode("c3")
    with refused(PermanentError, "of-c3", "release 2"):
        published(store, "c3", "a1", node)
    assert [each.fingerprint for each in releases(store, "demo")] == ["a1", "b2"]
    assert published(store, "c3", "b2", node).number == 3
