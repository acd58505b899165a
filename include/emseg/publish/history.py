"""The releases of a dataset in the object store, one after another, and the pointer to the one that is served.

`{dataset}/releases/by-number/00000007.json` is the release, written with a conditional put: two publishers never share
a number, and number n + 1 is only tried after n was read, so the numbers have no gaps. `by-fingerprint/` finds the
release of a result; `current.json` is a copy of the served one and moves by compare-and-swap, to higher numbers only.
"""

from __future__ import annotations

from collections.abc import Callable

from emseg.errors import TransientError
from emseg.publish.record import ReleaseRecord
from emseg.store import ObjectMissingError, ObjectStore, join_key

ATTEMPTS = 50
"""Lost races after which a publisher gives up for now; every lost race is another publisher's success."""


def releases(store: ObjectStore, dataset: str) -> tuple[ReleaseRecord, ...]:
    """All releases of a dataset, by number. The last may not be served yet, if its publisher was stopped."""
    keys = store.keys_under(join_key(dataset, "releases", "by-number"))
    return tuple(ReleaseRecord.from_json(store.get(key), store.address(key)) for key in keys)


def served_release(store: ObjectStore, dataset: str) -> ReleaseRecord | None:
    """The release that readers are to use; None before the first."""
    return _read(store, _current_key(dataset))


def release_of(store: ObjectStore, dataset: str, fingerprint: str) -> ReleaseRecord | None:
    """The release of the result with this fingerprint, where its publisher came far enough to index it."""
    return _read(store, _fingerprint_key(dataset, fingerprint))


def claimed(
    store: ObjectStore, dataset: str, draft: Callable[[int, tuple[ReleaseRecord, ...]], ReleaseRecord]
) -> ReleaseRecord:
    """Write the next release of a dataset; `draft(number, earlier)` makes it, or returns one of `earlier` to keep it.

    TransientError when other publishers took the number every time.
    """
    for _ in range(ATTEMPTS):
        earlier = releases(store, dataset)
        record = draft(len(earlier) + 1, earlier)
        if record in earlier or store.put_if_absent(_number_key(dataset, record.number), record.to_json()):
            return record
    raise _crowded("numbering a release", dataset)


def index_fingerprint(store: ObjectStore, record: ReleaseRecord) -> None:
    """Make the record findable by its fingerprint; nothing happens where it is already."""
    store.put_if_absent(_fingerprint_key(record.dataset, record.fingerprint), record.to_json())


def serve(store: ObjectStore, record: ReleaseRecord) -> None:
    """Move the pointer to `record`, unless it is there or at a later release. TransientError as in `claimed`."""
    key = _current_key(record.dataset)
    for _ in range(ATTEMPTS):
        try:
            data, version = store.get_with_version(key)
        except ObjectMissingError:
            if store.put_if_absent(key, record.to_json()):
                return
            continue
        if ReleaseRecord.from_json(data, store.address(key)).number >= record.number:
            return
        if store.replace_if(key, record.to_json(), version):
            return
    raise _crowded("moving the pointer to the served release", record.dataset)


def _read(store: ObjectStore, key: str) -> ReleaseRecord | None:
    try:
        return ReleaseRecord.from_json(store.get(key), store.address(key))
    except ObjectMissingError:
        return None


def _current_key(dataset: str) -> str:
    return join_key(dataset, "releases", "current.json")


def _number_key(dataset: str, number: int) -> str:
    return join_key(dataset, "releases", "by-number", f"{number:08d}.json")


def _fingerprint_key(dataset: str, fingerprint: str) -> str:
    return join_key(dataset, "releases", "by-fingerprint", f"{fingerprint}.json")


def _crowded(doing: str, dataset: str) -> TransientError:
    return TransientError(
        doing, f"dataset {dataset}", f"other publishers were first {ATTEMPTS} times", "Publish again later"
    )
