"""Phase folders of one dataset: one that nobody names goes as a whole, of one in use goes what no marker names.

The listing is read as a stream. Of a folder in use its manifests are in memory, as they are in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from emseg.errors import IntegrityError, PermanentError
from emseg.store import PhaseFolder, StoredObject, join_key
from emseg.tasks.tidy.broom import Broom
from emseg.tasks.tidy.references import IN_FLIGHT, PhaseUse, References, seen_of

UNNAMED = "no kept run and no release names it"
NO_MARKER = "no marker names it"
SET_ASIDE = "it was set aside as damaged"
SUPERSEDED = "a newer one took its place, or no kept run gave up these items"


@dataclass
class PhaseFolders:
    """Sweeps the phase folders of `dataset`. `again` reads anew what is referenced, `is_committed` asks DVID.

    `cutoff` is the time after which what was written is young, `now` the time of the store.
    """

    broom: Broom
    dataset: str
    found: References
    again: Callable[[], References]
    is_committed: Callable[[str], bool]
    cutoff: datetime
    now: datetime
    left_alone: list[str] = field(default_factory=list)

    def sweep(self) -> None:
        """All of them, one after another. What cannot be judged is left alone, and told in `left_alone`."""
        store = self.broom.store
        for phase in store.folders_under(join_key(self.dataset, "phases")):
            for key in store.folders_under(join_key(self.dataset, "phases", phase)):
                folder = PhaseFolder(store, self.dataset, phase, key, "")
                try:
                    self._sweep(folder)
                except (IntegrityError, PermanentError) as error:
                    self.left_alone.append(f"{_name(folder)}: {error}")

    def _sweep(self, folder: PhaseFolder) -> None:
        use = self.found.phases.get((folder.phase, folder.phase_key))
        if use is None:
            self._sweep_unnamed(folder)
        else:
            self._sweep_used(folder, use)

    def _sweep_unnamed(self, folder: PhaseFolder) -> None:
        """Markers first, and a look at the runs before each step: no run may find a marker whose artefacts go."""
        is_young = any(each.modified > self.cutoff for each in self._objects(folder))
        if is_young or (folder.phase == "write" and self.is_committed(folder.phase_key)):
            return
        steps: tuple[tuple[str, ...], ...] = (("marker.json", "provisional"), ("items",), ())
        for names in steps[-1:] if self.broom.dry_run else steps:
            if not self._is_named(folder):
                self._remove(folder, UNNAMED, self._below(folder, names))

    def _is_named(self, folder: PhaseFolder) -> bool:
        """Whether a run or a release names the folder by now; the documents are read again if one was written."""
        if seen_of(self.broom.store, self.dataset) != self.found.seen:
            self.found = self.again()
        return (folder.phase, folder.phase_key) in self.found.phases

    def _objects(self, folder: PhaseFolder) -> Iterator[StoredObject]:
        return self.broom.store.objects_under(_name(folder))

    def _below(self, folder: PhaseFolder, names: tuple[str, ...]) -> Iterator[StoredObject]:
        """Old objects of a folder, of some of its parts or of all."""
        for each in self._objects(folder):
            if each.modified <= self.cutoff and (not names or each.key.split("/")[4] in names):
                yield each

    def _sweep_used(self, folder: PhaseFolder, use: PhaseUse) -> None:
        """What no marker names. Where the marker of a release is lost nothing goes: what is there may mend it."""
        kept = _Kept.of(folder, use)
        if use.released and not kept.markers:
            raise IntegrityError(
                "looking at a phase that a release needs",
                folder.store.address(folder.marker_key),
                "it has no phase marker",
                f"Run phase {folder.phase} again, or restore the marker",
            )
        cutoff = min(self.cutoff, self.now - IN_FLIGHT) if use.in_flight else self.cutoff
        unused = ((each, kept.why_not(each.key)) for each in self._objects(folder) if each.modified <= cutoff)
        for why, group in groupby(unused, lambda pair: pair[1]):
            if why:
                self._remove(folder, why, (each for each, _ in group))

    def _remove(self, folder: PhaseFolder, why: str, objects: Iterable[StoredObject]) -> None:
        self.broom.sweep(self.dataset, f"phase {folder.phase}", why, _name(folder), objects)


def _name(folder: PhaseFolder) -> str:
    return join_key(folder.dataset, "phases", folder.phase, folder.phase_key)


@dataclass
class _Kept:
    """What stays of a folder in use: the phase markers of kept runs, their manifests, and what those and items name."""

    folder: PhaseFolder
    markers: set[str] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)
    artefacts: set[str] = field(default_factory=set)
    item: tuple[str, frozenset[str]] = ("", frozenset())

    @classmethod
    def of(cls, folder: PhaseFolder, use: PhaseUse) -> _Kept:
        kept = cls(folder)
        for given_up in sorted(use.given_up):
            chosen = folder.without(given_up)
            marker = chosen.phase_marker()
            if marker is not None:
                kept.markers.add(chosen.marker_key)
                kept.manifests.add(marker.manifest.key)
                kept.artefacts.update(each.key for item in chosen.manifest() for each in item.artefacts)
        return kept

    def why_not(self, key: str) -> str:
        """Why an object need not stay; empty: it stays."""
        part, *below = key.split("/")[4:]
        if part.startswith("attempt-"):
            return "" if key in self.artefacts or key in self._of_item(below[0]) else NO_MARKER
        if part == "quarantine":
            return SET_ASIDE
        if part == "provisional":
            return "" if key in self.markers else SUPERSEDED
        if part == "manifests":
            return "" if key in self.manifests or not self.markers else SUPERSEDED
        return ""

    def _of_item(self, item: str) -> frozenset[str]:
        """Keys that the marker of an item names; the objects of an item follow each other in the listing."""
        if self.item[0] != item:
            marker = self.folder.item_marker(item)
            self.item = (item, frozenset(each.key for each in marker.artefacts) if marker else frozenset())
        return self.item[1]
