"""What is wrong with the releases of a dataset, and how it is mended from what else is kept of them.

Example: `by-number/00000002.json` is lost. Its copies are `by-fingerprint/…json`, `release.json` in the folder of its
run, and the pointer if it is served; they agree, so the record is written again. Nothing is invented: where no copy is
left, or copies contradict each other, a fault says what a person can do. All writes are conditional, so a publisher
that is faster is never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.publish.chain import copy_key, current_key, number_key, sealed
from emseg.publish.record import ReleaseRecord, release_form
from emseg.store import ObjectStore, join_key

Remembered = Callable[[int, Mapping[int, ReleaseRecord]], ReleaseRecord | None]
"""A source of lost records beside the store: gives the record of a number, from the others of the chain, or None."""

_BACKUP = "Restore this object from a backup of the bucket. Without it nothing can be published to the dataset"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: at which object, what was found, and what to do.

    `record` is what mends it, if known; `version` is that of the object that was found, None where there was none.
    """

    key: str
    on: str
    found: str
    remedy: str
    record: ReleaseRecord | None = None
    version: str | None = None


def faults(store: ObjectStore, dataset: str, remembered: Remembered = lambda *_: None) -> list[Fault]:
    """Everything that is wrong with the records, their copies and the pointer; those with a `record` can be mended."""
    kept = _Kept(store, dataset)
    told = [*_of_the_chain(kept, remembered)]
    chain = kept.chain | {fault.record.number: fault.record for fault in told if fault.record is not None}
    return [*told, *_contradictions(kept, chain), *_of_copies(kept, chain), *_of_the_pointer(kept, chain)]


def mend(store: ObjectStore, told: list[Fault]) -> list[Fault]:
    """Mend those `faults` that have a record; returns the others. TransientError where somebody published meanwhile."""
    for fault in told:
        if fault.record is None:
            continue
        data, version = sealed(fault.record, fault.key), fault.version
        if not (
            store.put_if_absent(fault.key, data) if version is None else store.replace_if(fault.key, data, version)
        ):
            raise TransientError(
                "mending the releases", fault.on, "somebody else has changed it meanwhile", "Try again"
            )
    return [fault for fault in told if fault.record is None]


def require_whole(store: ObjectStore, dataset: str) -> None:
    """Mend what the store alone can mend; PermanentError that names the first fault that is left."""
    left = mend(store, faults(store, dataset))
    if left:
        raise PermanentError(
            "mending the releases", left[0].on, left[0].found, f"See all of it: emseg releases check {dataset}"
        )


class _Kept:
    """All that the store keeps of the releases of a dataset: whole records of the chain, their copies, and the rest."""

    def __init__(self, store: ObjectStore, dataset: str) -> None:
        self.store, self.dataset = store, dataset
        self.chain: dict[int, ReleaseRecord] = {}
        self.copies: dict[str, ReleaseRecord] = {}
        self.broken: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._unsealed: set[str] = set()
        of_runs = (key for key in store.keys_under(join_key(dataset, "runs")) if key.endswith("/release.json"))
        for key in (*store.keys_under(join_key(dataset, "releases")), *of_runs):
            self._read(key)

    def _read(self, key: str) -> None:
        data, self._versions[key] = self.store.get_with_version(key)
        try:
            record = release_form(self.dataset).open(data, key, self.store.address(key))
        except (IntegrityError, PermanentError) as error:
            try:
                record = ReleaseRecord.model_validate_json(data)  # of before records were sealed
            except ValidationError:
                self.broken[key] = error.found
                return
            self._unsealed.add(key)
        if key == number_key(self.dataset, record.number):
            self.chain[record.number] = record
        elif "/by-number/" in key:
            self.broken[key] = f"it is the record of number {record.number}"
        else:
            self.copies[key] = record

    @property
    def last(self) -> int:
        """The largest number of which anything is known."""
        names = (key.rpartition("/")[2].removesuffix(".json") for key in self.broken if "/by-number/" in key)
        damaged = (int(name) for name in names if name.isascii() and name.isdigit())
        return max([*self.chain, *(copy.number for copy in self.copies.values()), *damaged], default=0)

    def is_whole(self, key: str, record: ReleaseRecord) -> bool:
        """Whether `record` is kept under `key`, and sealed."""
        held = self.chain.get(record.number) if "/by-number/" in key else self.copies.get(key)
        return held == record and key not in self._unsealed

    def fault(self, key: str, found: str, remedy: str, record: ReleaseRecord | None = None) -> Fault:
        """A fault at `key`."""
        return Fault(key, self.store.address(key), found, remedy, record, self._versions.get(key))


def _of_the_chain(kept: _Kept, remembered: Remembered) -> Iterator[Fault]:
    for number in range(1, kept.last + 1):
        key = number_key(kept.dataset, number)
        record = kept.chain.get(number)
        if record is not None:
            if not kept.is_whole(key, record):
                yield kept.fault(key, "it is of before records were sealed", "It is sealed", record)
            continue
        what = kept.broken.get(key, "there is no such record")
        known = [copy for copy in kept.copies.values() if copy.number == number]
        if any(copy != known[0] for copy in known):
            nodes = ", ".join(sorted({copy.uuid for copy in known}))
            yield kept.fault(key, f"{what}, and its copies contradict each other: nodes {nodes}", _BACKUP)
            continue
        record = known[0] if known else remembered(number, kept.chain)
        if record is None:
            yield kept.fault(key, f"{what}, and no copy of it is left", _BACKUP)
        else:
            yield kept.fault(key, what, "It is written again from a copy", record)


def _contradictions(kept: _Kept, chain: Mapping[int, ReleaseRecord]) -> Iterator[Fault]:
    for number, record in sorted(chain.items()):
        before = chain.get(number - 1)
        if before is not None and record.supersedes != before.uuid:
            yield kept.fault(
                number_key(kept.dataset, number),
                f"it supersedes node {record.supersedes}, and release {number - 1} is node {before.uuid}",
                "Find out who wrote one of the two, and restore it from a backup of the bucket",
            )


def _of_copies(kept: _Kept, chain: Mapping[int, ReleaseRecord]) -> Iterator[Fault]:
    first: dict[str, ReleaseRecord] = {}
    for _, record in sorted(chain.items()):
        first.setdefault(copy_key(record), record)
    for key, record in first.items():
        if not kept.is_whole(key, record):
            known = "it is of another release, or not sealed" if key in kept.copies else "the copy is not there"
            yield kept.fault(key, kept.broken.get(key, known), "It is written again from its record", record)


def _of_the_pointer(kept: _Kept, chain: Mapping[int, ReleaseRecord]) -> Iterator[Fault]:
    key, last = current_key(kept.dataset), chain.get(kept.last)
    if last is None:
        if kept.last and key not in kept.copies:  # else an earlier release is served
            found = kept.broken.get(key, "there is no pointer")
            yield kept.fault(
                key, found, f"Nothing is served. Restore the record of release {kept.last}, then repair again"
            )
        return
    if kept.is_whole(key, last):
        return
    served = kept.copies.get(key)
    what = kept.broken.get(key, "there is no pointer") if served is None else f"release {served.number} is served"
    yield kept.fault(key, f"{what}, and the last is {last.number}", f"Release {last.number} is served", last)
