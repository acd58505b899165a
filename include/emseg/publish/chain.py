"""The releases of a dataset in the object store, one after another, and the pointer to the one that is served.

The chain of records is the truth: `{dataset}/releases/by-number/00000007.json` is written with a conditional put, so
two publishers never share a number, and number n + 1 is only tried after all numbers up to n were read, so there are no
gaps. Each record has a copy: `by-fingerprint/` finds the release of a result, `by-rollback/` has what is served again.
`current.json` is a copy of the served record and moves by compare-and-swap, to higher numbers only. `mending.py` writes
from these copies again what is lost or damaged.
"""

from __future__ import annotations

from collections.abc import Callable

from emseg.errors import IntegrityError, TransientError
from emseg.publish.record import ReleaseRecord, release_form
from emseg.store import ObjectMissingError, ObjectStore, join_key

ATTEMPTS = 50
"""Lost races after which a publisher gives up for now; every lost race is another publisher's success."""


def releases(store: ObjectStore, dataset: str) -> tuple[ReleaseRecord, ...]:
    """All releases of a dataset, by number. The last may not be served yet, if its publisher was stopped.

    IntegrityError where a record is damaged, or missing before the last.
    """
    there = list(store.keys_under(join_key(dataset, "releases", "by-number")))
    wanted = [number_key(dataset, number) for number in range(1, len(there) + 1)]
    for key in wanted:
        if key not in there and not store.exists(key):  # a listing may be older than a record that was just written
            raise IntegrityError(
                "reading the releases",
                store.address(key),
                f"there is none, though there are {len(there)} records",
                release_form(dataset).remedy,
            )
    return tuple(_opened(store, dataset, key) for key in wanted)


def served_release(store: ObjectStore, dataset: str) -> ReleaseRecord | None:
    """The release that readers are to use; None before the first."""
    return _read(store, dataset, current_key(dataset))


def release_of(store: ObjectStore, dataset: str, fingerprint: str) -> ReleaseRecord | None:
    """The release of the result with this fingerprint, where its publisher came far enough to index it."""
    return _read(store, dataset, fingerprint_key(dataset, fingerprint))


def claimed(
    store: ObjectStore, dataset: str, draft: Callable[[int, tuple[ReleaseRecord, ...]], ReleaseRecord]
) -> ReleaseRecord:
    """Write the next release of a dataset; `draft(number, earlier)` makes it, or returns one of `earlier` to keep it.

    TransientError when other publishers took the number every time.
    """
    for _ in range(ATTEMPTS):
        earlier = releases(store, dataset)
        record = draft(len(earlier) + 1, earlier)
        key = number_key(dataset, record.number)
        if record in earlier or store.put_if_absent(key, sealed(record, key)):
            return record
    raise _crowded("numbering a release", dataset)


def keep_copy(store: ObjectStore, record: ReleaseRecord) -> None:
    """Make the record findable by its fingerprint, or as a rollback; nothing happens where it is already."""
    key = copy_key(record)
    store.put_if_absent(key, sealed(record, key))


def serve(store: ObjectStore, record: ReleaseRecord) -> None:
    """Move the pointer to `record`, unless it is there or at a later release. TransientError as in `claimed`."""
    key = current_key(record.dataset)
    data = sealed(record, key)
    for _ in range(ATTEMPTS):
        try:
            found, version = release_form(record.dataset).read_with_version(store, key)
        except ObjectMissingError:
            if store.put_if_absent(key, data):
                return
            continue
        if found.number >= record.number:
            return
        if store.replace_if(key, data, version):
            return
    raise _crowded("moving the pointer to the served release", record.dataset)


def sealed(record: ReleaseRecord, key: str) -> bytes:
    """The record as it is stored under `key`."""
    return release_form(record.dataset).seal(record, key)


def current_key(dataset: str) -> str:
    """Key of the pointer to the served release."""
    return join_key(dataset, "releases", "current.json")


def number_key(dataset: str, number: int) -> str:
    """Key of the record of a number."""
    return join_key(dataset, "releases", "by-number", f"{number:08d}.json")


def fingerprint_key(dataset: str, fingerprint: str) -> str:
    """Key of the copy of the record that was the first of a result."""
    return join_key(dataset, "releases", "by-fingerprint", f"{fingerprint}.json")


def copy_key(record: ReleaseRecord) -> str:
    """Key of the copy of a record."""
    if record.restores is None:
        return fingerprint_key(record.dataset, record.fingerprint)
    return join_key(record.dataset, "releases", "by-rollback", f"{record.number:08d}.json")


def _read(store: ObjectStore, dataset: str, key: str) -> ReleaseRecord | None:
    try:
        return _opened(store, dataset, key)
    except ObjectMissingError:
        return None


def _opened(store: ObjectStore, dataset: str, key: str) -> ReleaseRecord:
    return release_form(dataset).read(store, key)


def _crowded(doing: str, dataset: str) -> TransientError:
    return TransientError(
        doing, f"dataset {dataset}", f"other publishers were first {ATTEMPTS} times", "Publish again later"
    )
