"""The ledger alone, on a folder and on the real S3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.publish import ReleaseRecord, release_of, releases, roll_back, served_release
from emseg.publish.chain import ATTEMPTS, claimed, keep_copy, serve
from emseg.publish.record import release_form


def record(number: int, **changes) -> ReleaseRecord:
    given = {"number": number, "dataset": "demo", "root": "0" * 32, "uuid": f"{number:032x}", "branch": "run"}
    given |= {"instance": "segmentation", "fingerprint": f"f{number}", "run": "run-1", "figures": {"vi_split": 1.5}}
    return ReleaseRecord(**{**given, "supersedes": f"{number - 1:032x}" if number > 1 else None, **changes})


def published(store, count: int) -> list[ReleaseRecord]:
    made = [claimed(store, "demo", lambda number, _: record(number)) for _ in range(count)]
    for release in made:
        keep_copy(store, release)
        serve(store, release)
    return made


def test_before_the_first_release_nothing_is_served(store):
    assert served_release(store, "demo") is None
    assert releases(store, "demo") == ()
    assert release_of(store, "demo", "f1") is None


def test_releases_are_numbered_from_one_without_gaps_and_found_again(store):
    made = published(store, 3)
    assert [r.number for r in made] == [1, 2, 3]
    assert releases(store, "demo") == tuple(made)
    assert served_release(store, "demo") == made[-1]
    assert release_of(store, "demo", "f2") == made[1]


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
@pytest.mark.fault("F25")
def test_the_pointer_ends_at_the_highest_number_in_whatever_order_publishers_finish(order, store):
    """Kills a plain put: a slow publisher would bring an older release back."""
    for number in order:
        serve(store, record(number))
    assert served_release(store, "demo").number == 3


@pytest.mark.fault("F5")
def test_eight_publishers_at_once_get_eight_numbers(store):
    """Kills read-then-write numbering without a conditional put: two releases of one number, one of them lost."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: _publish(store, f"f{i}"), range(8)))
    assert sorted(r.number for r in made) == list(range(1, 9))
    chain = releases(store, "demo")
    assert [r.number for r in chain] == list(range(1, 9))
    assert [r.supersedes for r in chain] == [None, *(r.uuid for r in chain[:-1])]
    assert served_release(store, "demo") == chain[-1]


def _publish(store, fingerprint: str) -> ReleaseRecord:
    def draft(number, earlier):
        last = earlier[-1].uuid if earlier else None
        return record(number, uuid=f"uuid-{fingerprint}", fingerprint=fingerprint, supersedes=last)

    release = claimed(store, "demo", draft)
    serve(store, release)
    return release


class Contended:
    """A store in which somebody else is always first."""

    def __init__(self, store) -> None:
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put_if_absent(self, *_):
        return False

    def replace_if(self, *_):
        return False


def test_a_publisher_that_loses_every_race_gives_up_for_now(store):
    """Kills an endless loop."""
    with refused(TransientError, "dataset demo", ATTEMPTS):
        claimed(Contended(store), "demo", lambda number, _: record(number))
    serve(store, record(1))
    with refused(TransientError, "dataset demo", ATTEMPTS):
        serve(Contended(store), record(2))


def test_a_damaged_pointer_is_an_error_and_never_overwritten_or_taken_for_none(store):
    store.put("demo/releases/current.json", b"{half")
    with refused(IntegrityError, store.address("demo/releases/current.json")):
        served_release(store, "demo")
    with pytest.raises(IntegrityError):
        serve(store, record(9))
    assert store.get("demo/releases/current.json") == b"{half"


def test_datasets_do_not_see_each_other(store):
    published(store, 1)
    assert releases(store, "demo-data") == ()
    assert served_release(store, "demo-data") is None


def test_a_rollback_is_a_new_release_of_the_old_node(store):
    made = published(store, 3)
    back = roll_back(store, "demo", 1, "ana", "axons are cut")
    assert (back.number, back.uuid, back.restores, back.supersedes) == (4, made[0].uuid, 1, made[2].uuid)
    assert served_release(store, "demo") == back
    assert roll_back(store, "demo", 1, "ana", "axons are cut") == back, "asked again, nothing is added"
    assert releases(store, "demo") == (*made, back)


def test_a_rollback_can_be_taken_back(store):
    made = published(store, 2)
    roll_back(store, "demo", 1, "ana", "axons are cut")
    again = roll_back(store, "demo", 2, "ana", "axons are cut")
    assert (again.number, again.uuid) == (4, made[1].uuid)


@pytest.mark.parametrize("number", [0, -1, 3, 99])
def test_a_rollback_to_no_release_is_refused(number, store):
    """Kills `earlier[number - 1]` on its own: number 0 would restore the newest."""
    published(store, 2)
    with refused(PermanentError, "dataset demo", f"release {number}"):
        roll_back(store, "demo", number, "ana", "axons are cut")


def test_a_record_of_the_release_before_is_refused_by_its_number():
    """Kills reading a record without a seal, in which one flipped bit is another node."""
    data = (Path(__file__).parents[1] / "data" / "stored_before" / "release.json").read_bytes()
    with refused(PermanentError, "at the place", "schema 1", "emseg releases repair brain"):
        release_form("brain").open(data, "brain/releases/current.json", "at the place")
