"""Flips, cuts, losses and swaps of any stored objects: none is believed, and the documented way mends every one.

`EMSEG_DAMAGES` is how many are made (200; `EMSEG_DAMAGES=10000` for all of it).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from random import Random

import pytest
from tests.damage.finished_run import EDIT, FinishedRun, arrays
from tests.memory_store import MemoryStore
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.phases.edits import change_edits
from emseg.phases.keys import code_versions
from emseg.segment import Pipeline
from emseg.tasks import local, run_folder

DAMAGES = int(os.environ.get("EMSEG_DAMAGES", "200"))
KINDS = ("flip", "cut", "lose", "swap", "empty", "lengthen")


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Subvolumes are segmented once, and the code is digested once: both are asked for again and again."""
    known: dict[tuple[object, ...], object] = {}
    whole = Pipeline.segment_subvolume

    def remembered(self, grayscale, wanted, where):
        key = (grayscale.tobytes(), wanted.tobytes(), str(where))
        if key not in known:
            known[key] = whole(self, grayscale, wanted, where)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pipeline, "segment_subvolume", remembered)
        versions = code_versions()
        for user in (run_folder, local):
            patch.setattr(user, "code_versions", lambda: versions)
        yield


@pytest.fixture(scope="module")
def finished(quick) -> tuple[dict[str, bytes], tuple[object, ...]]:
    """All objects of a finished run, and what is believed of it."""
    store = MemoryStore()
    run = FinishedRun(store, *arrays())
    run.make()
    return dict(store.objects), run.told()


def alike(key: str, objects: dict[str, bytes]) -> list[str]:
    """Keys of the same kind: they differ in digests and numbers only, so a whole object of one fits the other."""
    form = re.sub("[0-9a-f]{4,}", "#", key)
    return [other for other in sorted(objects) if re.sub("[0-9a-f]{4,}", "#", other) == form]


COPIES = (("/edits/", "/edits-copy/"), ("/by-number/", "/by-fingerprint/"), ("/by-number/", "/by-rollback/"))
"""Documents that the store keeps twice. Where both copies are harmed, people or DVID must help: tests of their own."""


def in_both_copies(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    changed = [key for key, data in before.items() if after.get(key) != data]
    return any(all(any(part in key for key in changed) for part in pair) for pair in COPIES)


def trial(objects: dict[str, bytes], random: Random) -> tuple[dict[str, bytes], str]:
    """The objects with damage that the store alone can mend, and what was done."""
    while True:
        bad, done = harmed(objects, random)
        if not in_both_copies(objects, bad):
            return bad, done


def harmed(objects: dict[str, bytes], random: Random) -> tuple[dict[str, bytes], str]:
    """The objects after one or two damages, and what was done."""
    objects, done = dict(objects), []
    for _ in range(random.choice((1, 1, 1, 2))):
        kind, key = random.choice(KINDS), random.choice(sorted(objects))
        data = objects[key]
        done.append(f"{kind} {key}")
        if kind == "flip":
            at = random.randrange(max(len(data), 1) * 8)
            bad = bytearray(data or b"\0")
            bad[at // 8] ^= 1 << at % 8
            objects[key] = bytes(bad)
        elif kind == "swap":
            other = random.choice(alike(key, objects) if random.random() < 0.7 else sorted(objects))
            objects[key], objects[other] = objects[other], data
        elif kind == "lose":
            del objects[key]
        else:
            objects[key] = {"cut": data[: random.randrange(max(len(data), 1))], "empty": b"", "lengthen": data + b" x"}[
                kind
            ]
    return objects, ", ".join(done)


def test_every_kind_of_object_is_there(finished):
    """Kills a test of damage that forgets the very document that decides."""
    names = " ".join(finished[0])
    for part in (
        "items/", "/marker.json", "manifests/", "attempt-", "spec.json", "plan.json", "report-segment.json",
        "failure-stitch.json", "findings.json", "verdict.json", "release.json", "edits/", "edits-copy/", "by-number/",
        "by-fingerprint/", "by-rollback/", "current.json", "leases/", "models/", "history/",
    ):  # fmt: skip
        assert part in names


def wrong(objects: dict[str, bytes], told: tuple[object, ...], done: str) -> list[str]:
    """What is wrong with a run over these objects: nothing, where all that it tells is as it was."""
    try:
        if FinishedRun(MemoryStore(objects), *arrays()).tell() != told:
            return [f"believed: {done}"]
    except Exception as error:  # noqa: BLE001 - each is a finding, and all of them are told
        return [f"not mended: {done}: {type(error).__name__}: {error}"[:600]]
    return []


@pytest.mark.fault("F13")
@pytest.mark.fault("F14")
def test_no_damage_is_believed_and_the_documented_way_mends_every_one(finished):
    """Each trial begins with the whole run. Kills any reader that trusts the store, and any wedge."""
    found = []
    for seed in range(DAMAGES):
        bad, done = trial(finished[0], Random(seed))
        found += wrong(bad, finished[1], f"seed {seed}: {done}")
    assert not found, "\n".join([f"{len(found)} of {DAMAGES}", *found[:10]])


@pytest.mark.fault("F13")
def test_no_two_objects_of_a_kind_are_believed_in_each_others_place(finished):
    """Both are whole. Kills a checksum of the content alone."""
    objects, found = finished[0], []
    pairs = {(one, other) for one in objects for other in alike(one, objects) if one < other}
    assert {one.split("/")[1] for one, _ in pairs} >= {"phases", "releases"}
    for one, other in sorted(pairs):
        found += wrong(objects | {one: objects[other], other: objects[one]}, finished[1], f"{one} and {other}")
    assert not found, "\n".join(found[:10])


@pytest.mark.fault("F13")
@pytest.mark.parametrize("harm", [b"", b"edits"])
def test_edits_harmed_in_both_copies_are_refused_until_they_are_decided_again(finished, harm):
    """Kills edits that are forgotten in silence. Releases in the same state come back from DVID: tests/publish."""
    keys = [key for key in finished[0] if "/edits" in key]
    assert len(keys) == 2
    store = MemoryStore(finished[0] | dict.fromkeys(keys, harm))
    with refused(PermanentError, *map(store.address, keys), "emseg stitch"):
        FinishedRun(store, *arrays()).pin()
    for key in keys:
        store.delete(key)
    change_edits(store, "local", "key1", lambda known: (*known, EDIT))
    assert FinishedRun(store, *arrays()).tell() == finished[1]
