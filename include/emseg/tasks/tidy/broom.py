"""The only place where housekeeping deletes: it counts what goes and why, and in a dry run it only counts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from emseg.store import ObjectStore, StoredObject, ahead

log = logging.getLogger(__name__)

_BATCH = 1000


@dataclass
class Swept:
    """One line of the table: objects of one kind that went (or would go) for one reason, and the folders they were in.

    `size` is in bytes.
    """

    folders: set[str] = field(default_factory=set)
    objects: int = 0
    size: int = 0


class Broom:
    """Deletes in `store`, or in a dry run counts only. `swept` is by dataset, kind and reason."""

    def __init__(self, store: ObjectStore, dry_run: bool) -> None:
        self.store, self.dry_run = store, dry_run
        self.swept: dict[tuple[str, str, str], Swept] = {}

    def sweep(self, dataset: str, what: str, why: str, folder: str, objects: Iterable[StoredObject]) -> None:
        """Remove `objects` of one folder, in their order but for those of one batch; at most a batch is in memory."""
        line = self.swept.setdefault((dataset, what, why), Swept())
        some = iter(objects)
        while batch := list(islice(some, _BATCH)):
            if not self.dry_run:
                self._delete(batch)
            line.objects += len(batch)
            line.size += sum(each.size for each in batch)
            if folder not in line.folders:
                line.folders.add(folder)
                log.info("%s: %s %s (%s)", folder, "would remove" if self.dry_run else "removing", what, why)

    def lines(self) -> Iterator[tuple[str, str, str, Swept]]:
        """Dataset, kind, reason and counts of all that went."""
        for (dataset, what, why), line in sorted(self.swept.items()):
            if line.objects:
                yield dataset, what, why, line

    def _delete(self, batch: list[StoredObject]) -> None:
        for _ in ahead(lambda each: self.store.delete(each.key), batch):
            pass
