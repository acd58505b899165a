"""Publishing into the real DVID, with the store stopped at every one of its calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from uuid import uuid4

import pytest
from tests.refusals import refused

from emseg.dvid import Node
from emseg.dvid.nodes import RELEASE_LINE
from emseg.errors import IntegrityError, PermanentError
from emseg.publish import publish_release, releases, roll_back, served_release

pytestmark = pytest.mark.services


def publish(store, node, verdict, **changes):
    wanted = {"fingerprint": verdict.fingerprint, "instance": "segmentation", "before_commit": bool}
    wanted |= {"root": "ab", "branch": "run-1"} | changes
    return publish_release(store, node, verdict, **wanted)


def commits(node, fingerprint: str) -> int:
    return sum(line.endswith(RELEASE_LINE + fingerprint) for line in node.log())


def test_a_release_is_committed_recorded_and_served(store, new_node, verdict_of):
    node = new_node()
    made = publish(store, node, verdict_of("f1"))
    info = node.info()
    assert info.locked
    assert "f1" in info.note
    assert commits(node, "f1") == 1
    assert (made.number, made.dataset, made.run, made.fingerprint) == (1, "demo", "run-f1", "f1")
    assert (made.uuid, made.branch, made.root) == (node.uuid, "run-1", "ab")
    assert (made.instance, made.figures, made.supersedes) == ("segmentation", {"vi_split": 1.5}, None)
    assert served_release(store, "demo") == made


def test_the_next_release_supersedes_the_one_before(store, new_node, verdict_of):
    first = publish(store, new_node(), verdict_of("f1"))
    second = publish(store, new_node(), verdict_of("f2"))
    assert (second.number, second.supersedes) == (2, first.uuid)
    assert served_release(store, "demo") == second


def test_publishing_again_changes_nothing(store, new_node, verdict_of):
    """Kills a second commit, a second number, and a rerun of an old publish that takes the pointer back."""
    node = new_node()
    first = publish(store, node, verdict_of("f1"))
    second = publish(store, new_node(), verdict_of("f2"))
    assert publish(store, node, verdict_of("f1")) == first
    assert commits(node, "f1") == 1
    assert releases(store, "demo") == (first, second)
    assert served_release(store, "demo") == second


def test_the_same_result_in_another_node_is_not_released_twice(store, new_node, verdict_of):
    first = publish(store, new_node(), verdict_of("f1"))
    other = new_node()
    assert publish(store, other, verdict_of("f1")) == first
    assert not other.info().locked


def test_a_failed_verdict_publishes_nothing(store, new_node, verdict_of):
    node = new_node()
    with refused(PermanentError, "demo", "VI split is too high"):
        publish(store, node, verdict_of("f1", "VI split is too high"))
    assert not node.info().locked
    assert list(store.keys_under("")) == []


def test_a_verdict_about_another_result_publishes_nothing(store, new_node, verdict_of):
    """Kills a gate that is passed by an old verdict after the result changed."""
    node = new_node()
    with refused(PermanentError, "fingerprint f1", "fingerprint f2"):
        publish(store, node, verdict_of("f1"), fingerprint="f2")
    assert not node.info().locked
    assert list(store.keys_under("")) == []


def test_an_unknown_instance_is_noticed_before_the_commit(store, new_node, verdict_of):
    node = new_node()
    with refused(PermanentError, node.uuid, "absent"):
        publish(store, node, verdict_of("f1"), instance="absent")
    assert not node.info().locked


@pytest.mark.parametrize("log", [[], [f"{RELEASE_LINE}f1"], [f"{RELEASE_LINE}f22"], ["f2"]])
def test_a_node_committed_as_something_else_is_refused(log, store, new_node, verdict_of):
    """Kills adopting any locked node, and a log line that is compared by its beginning."""
    node = new_node()
    node.commit("by somebody", log)
    with refused(PermanentError, node.uuid, "'by somebody'", "fingerprint f2"):
        publish(store, node, verdict_of("f2"))
    assert list(store.keys_under("")) == []


def test_what_the_check_before_the_commit_finds_stops_it(store, new_node, verdict_of):
    """Kills a check after the commit, and one that is made again for a node that is committed for good."""
    node, checks = new_node(), []

    def check() -> None:
        checks.append(node.info().locked)
        if len(checks) == 1:
            raise IntegrityError("checking", "labels", "changed", "again")

    with pytest.raises(IntegrityError):
        publish(store, node, verdict_of("f1"), before_commit=check)
    assert not node.info().locked
    assert list(store.keys_under("")) == []
    for _ in range(2):
        publish(store, node, verdict_of("f1"), before_commit=check)
    assert checks == [False, False]


def test_a_branch_that_went_on_without_us_is_named(store, new_node, verdict_of):
    node = new_node()
    node.commit("by somebody")
    child = node.branch(f"on-{uuid4().hex}")
    with refused(PermanentError, "'by somebody'", child.uuid):
        publish(store, node, verdict_of("f1"))


class Killed(BaseException):
    """Stands for `kill -9`: no `except` of the code under test may catch it."""


class StopsAt:
    """A store that ends the process at its n-th call: before the call has its effect, or right after."""

    def __init__(self, store, call: int, after: bool) -> None:
        self._store, self._left, self._after = store, call, after

    def __getattr__(self, name):
        method = getattr(self._store, name)

        def stopping(*args):
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Killed
            try:
                return method(*args)
            finally:
                if self._left == 0:
                    raise Killed

        return method if name == "address" else stopping


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.fault("F24")
def test_killed_at_any_call_of_the_store_the_old_release_is_served_until_the_new_one_is_whole(
    after, store, new_node, verdict_of
):
    """Every call in turn: the old release or the new, never none or half; the same call again completes it, once."""
    for call in range(1, 20):
        dataset, node = f"demo-{call}", new_node()
        old = publish(store, new_node(), verdict_of("f0", dataset=dataset))
        verdict = verdict_of("f1", dataset=dataset)
        try:
            publish(StopsAt(store, call, after), node, verdict)
        except Killed:
            served = served_release(store, dataset)
            assert served == old or (served.fingerprint == "f1" and node.info().locked)
        else:
            break
        new = publish(store, node, verdict)
        assert served_release(store, dataset) == new
        assert releases(store, dataset) == (old, new)
        assert commits(node, "f1") == 1
    assert call == 8, "seven calls: look up, list, read, number, index, read and move the pointer"


@pytest.mark.fault("F24")
def test_killed_between_the_commit_and_the_store_the_node_is_adopted(store, new_node, verdict_of):
    node = new_node()
    with pytest.raises(Killed):
        publish(StopsAt(store, 2, after=False), node, verdict_of("f1"))
    assert node.info().locked
    assert served_release(store, "demo") is None
    assert publish(store, node, verdict_of("f1")).uuid == node.uuid
    assert commits(node, "f1") == 1


def test_killed_before_the_pointer_moved_and_never_tried_again_the_next_release_still_comes(
    store, new_node, verdict_of
):
    """Kills a lock that a dead publisher keeps for ever."""
    with pytest.raises(Killed):
        publish(StopsAt(store, 3, after=True), new_node(), verdict_of("f1"))
    after = publish(store, new_node(), verdict_of("f2"))
    assert served_release(store, "demo") == after
    assert len(releases(store, "demo")) == after.number


class InTurn(Node):
    """A node whose commits wait for each other."""

    turn = Lock()

    def __init__(self, node):
        super().__init__(node.server, node.uuid)

    def commit(self, note, log=()):
        with self.turn:
            super().commit(note, log)


@pytest.mark.parametrize("same_result", [True, False])
def test_four_publishers_at_once(same_result, store, new_node, verdict_of):
    """Of one result (retries beside an orphan): one release, one commit. Of four results: four releases in a row.

    All see an open node before the first commits. The commits take turns: two at once, or one beside a request for the
    repository's record, may lock DVID v1.0.0 up, whoever the client is.
    """
    nodes = [InTurn(new_node())] * 4 if same_result else [InTurn(new_node()) for _ in range(4)]
    names = ["f1"] * 4 if same_result else [f"f{uuid4().hex}" for _ in range(4)]
    all_here = Barrier(4, timeout=60)

    def one(node, name):
        return publish(store, node, verdict_of(name), before_commit=all_here.wait)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(one, nodes, names))
    chain = releases(store, "demo")
    assert sorted({r.number for r in made}) == [r.number for r in chain] == list(range(1, 2 if same_result else 5))
    assert served_release(store, "demo") == chain[-1]
    assert all(commits(node, name) == 1 for node, name in zip(nodes, names, strict=True))


def test_a_rerun_of_a_rolled_back_publish_does_not_undo_the_rollback(store, new_node, verdict_of):
    """Kills an Airflow retry that brings a bad release back."""
    first, bad = new_node(), new_node()
    publish(store, first, verdict_of("f1"))
    publish(store, bad, verdict_of("f2"))
    back = roll_back(store, "demo", 1, "ana", "axons are cut")
    publish(store, bad, verdict_of("f2"))
    assert served_release(store, "demo") == back
