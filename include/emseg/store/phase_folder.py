"""One phase in the store: what an attempt writes, what is committed, and what a reader may trust.

    {dataset}/phases/{phase}/{phase_key}/marker.json                     the phase is done (one conditional put)
                                        /provisional/{digest}.json       it is done but for items that a run gave up
                                        /items/{item}.json               the item is done (one conditional put)
                                        /attempt-{attempt}/{item}/{name} artefacts; only what a marker names counts
                                        /manifests/{attempt}-{digest}    all item markers, a thousand in each part
                                        /manifests/kept-by-item-...      some, kept while the phase runs
                                        /quarantine/...                  what did not hold its checksum

A run that gives items up has a phase marker of its own, named by the digest of their names. It satisfies those runs
alone that gave up the very same items.

The same phase key means the same result, so the first to commit wins and all others use the winner's. A reader verifies
sizes and checksums; bytes that fail are set aside with their markers, so that the next try computes that item anew.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import md5, sha256
from itertools import pairwise, takewhile
from typing import NoReturn, TypeVar

from pydantic import TypeAdapter

from emseg.errors import IntegrityError, PermanentError
from emseg.store.ahead import ahead
from emseg.store.manifest import Markers, content_digest
from emseg.store.markers import ITEM, PHASE, Artefact, Figures, ItemMarker, PhaseMarker
from emseg.store.objects import ObjectMissingError, ObjectStore, join_key
from emseg.store.parts import Part, holds, index_of, joined, parts_of
from emseg.store.sealed import Form

_LOG = logging.getLogger(__name__)

READ_ONE_BY_ONE = 1000
"""Markers that are read faster by themselves than by a search for where they were kept together."""
LISTED_AT_ONCE = 20_000
"""Items whose markers one thread looks for in the listing: twenty pages of it."""
_SO_FAR, _SUMS = "kept-by-item", "md5"
"""Another form needs another name: no phase key holds the code of the store. `so-far-` was that of earlier releases."""
_SUMS_READ = TypeAdapter(dict[str, str])

Marker = TypeVar("Marker", ItemMarker, PhaseMarker)


@dataclass(frozen=True)
class PhaseFolder:
    """The folder of one phase key in `store`; `attempt` names the private part this process writes to.

    Without an attempt (`""`) it is for reading: it commits nothing, but it does set aside what it finds damaged.
    `given_up` are the items, ascending, that a run does without: the phase marker is the one of that choice.
    """

    store: ObjectStore
    dataset: str
    phase: str
    phase_key: str
    attempt: str
    given_up: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        join_key(self.dataset, self.phase, self.phase_key, self.attempt or "none")

    def without(self, given_up: Iterable[str]) -> PhaseFolder:
        """The same folder for a run that does without some items."""
        return replace(self, given_up=tuple(sorted(given_up)))

    def write_artefact(self, item: str, name: str, data: bytes) -> Artefact:
        """Store `data` privately to this attempt; it counts once `commit_item` names it."""
        artefact = Artefact.of(name, self._key(f"attempt-{self._writing_attempt()}", item, name), data)
        self.store.put(artefact.key, data)
        return artefact

    def write_parts(self, item: str, name: str, parts: Mapping[str, bytes]) -> Artefact:
        """The same for many small ones, by name, which are one artefact; `parts` finds them."""
        artefact, data = joined(name, self._key(f"attempt-{self._writing_attempt()}", item, name), parts)
        self.store.put(artefact.key, data)
        return artefact

    def parts(self, artefact: Artefact) -> dict[str, Part]:
        """What `write_parts` put into an artefact, to be read by `read_artefact`, which takes no more than that."""
        return parts_of(artefact, self.read_artefact(index_of(artefact)))

    def read_artefact(self, artefact: Artefact) -> bytes:
        """The artefact's bytes; `IntegrityError` where they are gone or changed (they are then set aside)."""
        item = self._item_of(artefact)
        data = self._verified(artefact)
        if isinstance(data, bytes):
            return data
        self._quarantine(artefact.key)
        self._discard_item(item, artefact)
        raise IntegrityError(
            "reading an artefact",
            f"phase {self.phase}, item {item}, {artefact.name} at {self.store.address(artefact.key)}",
            data,
            f"It was set aside with its markers. {self._again}: it computes only this item",
        )

    def commit_item(self, item: str, artefacts: Sequence[Artefact], statistics: Figures) -> ItemMarker:
        """Mark `item` as done, once and for all; returns the marker that counts, which may be another attempt's."""
        ours = ItemMarker(self.phase, self.phase_key, item, self._writing_attempt(), tuple(artefacts), dict(statistics))
        if self.store.put_if_absent(self._item_key(item), ITEM.seal(ours, self._item_key(item))):
            return ours
        winner = self.item_marker(item)
        if winner is None:  # set aside by a reader since
            return self.commit_item(item, artefacts, statistics)
        if content_digest([winner]) != content_digest([ours]):
            _LOG.error(
                "phase %s, item %s: attempts %s and %s computed different bytes; those of %s count. A step is not "
                "deterministic",
                *(self.phase, item, winner.attempt, ours.attempt, winner.attempt),
            )
        return winner

    def item_marker(self, item: str) -> ItemMarker | None:
        """The marker of `item`, or None where it is not done; `IntegrityError` where it is damaged (then set aside)."""
        return self._marker(ITEM, self._item_key(item))

    def done_items(self) -> frozenset[str]:
        """Items with a marker: one listing, nothing is read."""
        keys = self.store.keys_under(self._key("items"))
        return frozenset(key.rpartition("/")[2].removesuffix(".json") for key in keys)

    def item_markers(self, items: Iterable[str]) -> list[ItemMarker]:
        """Markers of `items`, in their order, read by several threads.

        IntegrityError that names all of them that are missing or damaged (those are set aside).
        """
        wanted = list(items)
        markers = {marker.item: marker for marker in self.whole_markers(wanted)}
        if lost := [item for item in wanted if item not in markers]:
            self.unmark()  # they say that these items are there: nobody would compute them again
            raise IntegrityError(
                "reading item markers",
                f"phase {self.phase} at {self.store.address(self._key('items'))}",
                f"{len(lost)} of {len(wanted)} are missing or damaged: {', '.join(lost[:20])}{' …' * (len(lost) > 20)}",
                f"{self._again}: it computes only these",
            )
        return [markers[item] for item in wanted]

    def whole_markers(self, items: Iterable[str]) -> Iterator[ItemMarker]:
        """Markers of those `items` that have one, in their order, a few read ahead; what is damaged is set aside."""
        return (marker for marker in ahead(self._whole_marker, items) if marker is not None)

    def keep_so_far(self, markers: Markers) -> None:
        """Keep markers of committed items as one object: `committed` then finds them with one request."""
        stored = ((each.item, ITEM.stored_form(each, self._item_key(each.item))) for each in markers)
        sums = {item: md5(data, usedforsecurity=False).hexdigest() for item, data in stored}
        draft, data = joined(_SO_FAR, "", {**markers.parts, _SUMS: json.dumps(sums).encode()})
        name = f"{_SO_FAR}-{self._writing_attempt()}-{draft.index}-{draft.sha256}"
        self.store.put(self._key("manifests", name), data)

    def committed(self, items: Sequence[str]) -> Markers:
        """Markers of those `items` that have one: from those that were kept together, and the others one by one.

        A marker that was kept counts where the listing says that its object still has the same bytes.
        """
        names = sorted(f"{item}.json" for item in items)
        found = ahead(self._listed, (names[at : at + LISTED_AT_ONCE] for at in range(0, len(names), LISTED_AT_ONCE)))
        wanted = {item: checksum for some in found for item, checksum in some.items()}
        several = []
        for markers, sums in self._so_far() if len(wanted) > READ_ONE_BY_ONE else ():
            whole = {item for item, checksum in sums.items() if wanted.get(item) == checksum}
            for item in whole:
                del wanted[item]
            several.append(markers if len(whole) == len(markers) else Markers.of(m for m in markers if m.item in whole))
        one_by_one = Markers.of(self.whole_markers(item for item in items if item in wanted))
        return Markers.joined(*several, one_by_one)

    def _listed(self, names: Sequence[str]) -> dict[str, str]:
        """MD5 of those of the item markers `names`, ascending, that there are, as the listing tells it; by item."""
        folder, wanted = self._key("items"), set(names)
        before = f"{folder}/{names[0][:-1]}"  # no other marker comes between the two
        found = ((each.key[len(folder) + 1 :], each.md5) for each in self.store.objects_under(folder, before))
        listed = takewhile(lambda each: each[0] <= names[-1], found)
        return {name.removesuffix(".json"): checksum for name, checksum in listed if name in wanted}

    def _so_far(self) -> Iterator[tuple[Markers, dict[str, str]]]:
        """What `keep_so_far` kept, with the MD5 of each marker by item; what is damaged is left out."""
        for kept in self.store.objects_under(self._key("manifests")):
            name, _, ends = kept.key.rpartition("/")[2].partition(f"{_SO_FAR}-")
            if name or not ends:
                continue
            _, index, digest = ends.rsplit("-", 2)
            artefact = Artefact(_SO_FAR, kept.key, kept.size, digest, int(index))
            data = self._verified(artefact)
            if isinstance(data, str):
                _LOG.error("phase %s: %s is not used: %s", self.phase, self.store.address(kept.key), data)
                continue
            parts = {n: data[p.start : p.start + p.size] for n, p in parts_of(artefact, data[: int(index)]).items()}
            sums = _SUMS_READ.validate_json(parts.pop(_SUMS))
            yield Markers.stored(parts, self.store.address(kept.key)), sums

    def check_item(self, item: str) -> ItemMarker:
        """The marker of a committed item, after all of its artefacts were verified as by `read_artefact`."""
        (marker,) = self.item_markers([item])
        for artefact in marker.artefacts:
            self.read_artefact(artefact)
        return marker

    def commit_phase(self, markers: Sequence[ItemMarker], results: Figures) -> PhaseMarker:
        """Mark the phase as done; returns the marker that counts. `IntegrityError` where a winner has other bytes."""
        packed = markers if isinstance(markers, Markers) else Markers.of(markers)
        self._check_own(packed)
        attempt, digest = self._writing_attempt(), content_digest(packed)
        manifest = self._write_manifest(packed)
        ours = PhaseMarker(self.phase, self.phase_key, attempt, len(packed), digest, manifest, dict(results))
        if self.store.put_if_absent(self.marker_key, PHASE.seal(ours, self.marker_key)):
            return ours
        winner = self.phase_marker()
        if winner is None:  # set aside by a reader since
            return self.commit_phase(packed, results)
        if winner.content_digest != digest:
            raise IntegrityError(
                "committing a phase",
                f"phase {self.phase}, key {self.phase_key}, attempts {winner.attempt} (first) and {attempt}",
                f"content digests {winner.content_digest[:16]}… and {digest[:16]}… differ",
                "Run again: the first one counts. A step is not deterministic, or an item was computed anew since",
            )
        return winner

    def unmark(self) -> None:
        """Set the phase marker and all provisional ones aside: an item that they vouched for is lost."""
        for key in (self._key("marker.json"), *self.store.keys_under(self._key("provisional"))):
            if self.store.exists(key):
                self._set_aside(key)

    def phase_marker(self) -> PhaseMarker | None:
        """The phase's marker, or None where it is not done; `IntegrityError` where it is damaged (then set aside)."""
        return self._marker(PHASE, self.marker_key)

    def _write_manifest(self, markers: Markers) -> Artefact:
        draft, data = joined("manifest", "", markers.parts)
        key = self._key("manifests", f"{self._writing_attempt()}-{draft.sha256[:16]}")
        self.store.put(key, data)
        return replace(draft, key=key)

    def manifest(self) -> Markers:
        """Markers of all items of the finished phase, verified against its marker. `PermanentError`: not done."""
        marker = self._finished()
        data = self._of_manifest(marker, marker.manifest)
        parts = parts_of(marker.manifest, data[: marker.manifest.index])
        packs = {name: data[part.start : part.start + part.size] for name, part in parts.items()}
        markers = Markers.stored(packs, self.store.address(marker.manifest.key))
        if (len(markers), content_digest(markers)) != (marker.items, marker.content_digest):
            self._reject(self.marker_key, "its manifest lists other items")
        return markers

    def manifest_of(self, items: Iterable[str]) -> list[ItemMarker]:
        """Markers of those of `items` that the finished phase has, ascending; only their parts are read."""
        wanted, marker = set(items), self._finished()
        parts = parts_of(marker.manifest, self._of_manifest(marker, index_of(marker.manifest)))
        firsts = list(parts)
        needed = sorted({max(bisect_right(firsts, item) - 1, 0) for item in wanted}) if firsts else []
        packs = ahead(lambda number: self._of_manifest(marker, parts[firsts[number]]), needed)
        address = self.store.address(marker.manifest.key)
        found = (each for pack in packs for each in Markers.stored({"": pack}, address))
        return [each for each in found if each.item in wanted]

    def _finished(self) -> PhaseMarker:
        marker, where = self.phase_marker(), self.store.address(self.marker_key)
        if marker is not None:
            return marker
        if self.store.exists(self._quarantine_key(self.marker_key)):  # by another reader, perhaps a moment ago
            found = "the phase was done; damage was found since, and its marker set aside"
            remedy = f"{self._again}: it computes only what is missing"
            raise IntegrityError("reading a manifest", where, found, remedy)
        found = f"phase {self.phase} is not done"
        raise PermanentError("reading a manifest", where, found, f"Run phase {self.phase} first")

    @property
    def _again(self) -> str:
        how = f"a retry does, or clear the task of its stage in Airflow, or: emseg run {self.dataset} --again RUN"
        return f"Run phase {self.phase} again ({how})"

    def _of_manifest(self, marker: PhaseMarker, part: Artefact) -> bytes:
        data = self._verified(part)
        if isinstance(data, str):
            self._quarantine(marker.manifest.key)
            self._reject(self.marker_key, f"its manifest fails: {data}")
        return data

    def _marker(self, form: Form[Marker], key: str) -> Marker | None:
        try:
            return form.read(self.store, key)
        except ObjectMissingError:
            return None
        except IntegrityError as error:
            self._reject(key, error.found)

    def _whole_marker(self, item: str) -> ItemMarker | None:
        try:
            return self.item_marker(item)
        except IntegrityError as error:
            _LOG.error("phase %s: %s", self.phase, error)
            return None

    def _verified(self, artefact: Artefact) -> bytes | str:
        """The artefact's bytes, or what is wrong with them: read twice, so that a fault of the wire harms nobody."""
        found = ""
        for _ in range(2):
            try:
                data = self._bytes_of(artefact)
            except (ObjectMissingError, IntegrityError) as error:
                found = error.found
                continue
            if holds(artefact, data):
                return data
            found = (
                f"{len(data)} bytes of SHA-256 {sha256(data).hexdigest()[:16]}…, written were {artefact.size} bytes of "
            )
            found += f"{artefact.sha256[:16]}…"
        return found

    def _bytes_of(self, artefact: Artefact) -> bytes:
        if isinstance(artefact, Part):
            return self.store.get_part(artefact.key, artefact.start, artefact.size)
        return self.store.get(artefact.key)

    def _discard_item(self, item: str, artefact: Artefact) -> None:
        """Take back the markers of `item`, unless it was computed anew since."""
        try:
            marker = ITEM.read(self.store, self._item_key(item))
        except (ObjectMissingError, IntegrityError):
            marker = None
        if marker is None or artefact.key in {each.key for each in marker.artefacts}:
            self.unmark()
            self._set_aside(self._item_key(item))

    def _reject(self, key: str, found: str) -> NoReturn:
        self.unmark()  # where it is an item's marker, they vouched for it
        if self.store.exists(key):
            self._set_aside(key)
        raise IntegrityError(
            "reading a marker",
            self.store.address(key),
            found,
            f"It was set aside. {self._again}: it computes what it marked",
        )

    def _set_aside(self, key: str) -> None:
        self._quarantine(key)
        self.store.delete(key)

    def _quarantine(self, key: str) -> None:
        """Copy an object, if any, to the quarantine folder and say so loudly."""
        kept = self._quarantine_key(key)
        _LOG.error("phase %s: quarantining %s as %s", self.phase, self.store.address(key), kept)
        try:
            self.store.put(kept, self.store.get(key))
        except (ObjectMissingError, IntegrityError) as error:
            _LOG.error("phase %s: nothing to keep of %s: %s", self.phase, key, error.found)

    def _quarantine_key(self, key: str) -> str:
        return self._key("quarantine", *self._path_below(key))

    def _check_own(self, markers: Markers) -> None:
        foreign = [m.item for m in markers if (m.phase, m.phase_key) != (self.phase, self.phase_key)]
        twice = sum(one.item == other.item for one, other in pairwise(markers))
        if foreign or twice:
            raise PermanentError(
                "committing a phase",
                f"phase {self.phase}, key {self.phase_key}, {len(markers)} items",
                f"items of another phase: {foreign[:3]}; items given twice: {twice}",
                "Commit each item of this phase once",
            )

    def _writing_attempt(self) -> str:
        if not self.attempt:
            raise PermanentError(
                "writing to a phase",
                self.store.address(self.marker_key),
                "the folder was opened without an attempt, for reading",
                "Open it with an attempt",
            )
        return self.attempt

    def _item_of(self, artefact: Artefact) -> str:
        path = self._path_below(artefact.key)
        if artefact.key != self._key(*path) or len(path) != 3 or not path[0].startswith("attempt-"):
            raise PermanentError(
                "reading an artefact",
                f"phase {self.phase}, key {self.phase_key}, {artefact.name}",
                f"{artefact.key} is not an artefact of this phase key",
                "Read it through the PhaseFolder of the phase that wrote it",
            )
        return path[1]

    def _path_below(self, key: str) -> list[str]:
        return key.removeprefix(f"{self._key()}/").split("/")

    def _item_key(self, item: str) -> str:
        return self._key("items", f"{item}.json")

    @property
    def marker_key(self) -> str:
        """Key of the phase marker: one for the whole phase, one for each choice of items that a run does without."""
        if not self.given_up:
            return self._key("marker.json")
        return self._key("provisional", f"{sha256(' '.join(self.given_up).encode()).hexdigest()[:32]}.json")

    def _key(self, *parts: str) -> str:
        return join_key(self.dataset, "phases", self.phase, self.phase_key, *parts)
