"""Phase `match`: labels of cores and overlaps in; votes, pieces and contacts out.

One item is one subvolume with the neighbours that come after it, so that each overlap is counted once. Its artefacts
are tables: `votes`, `pieces` (sizes in its core) and `contacts` (who touches whom there). Memory of a task: the labels
of its core, then two overlap slabs at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.codec import decode_array, encode_table
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.segment import number_of, overlap_name
from emseg.stages.services import Services, Workplace, is_chosen
from emseg.stitch import Contacts, Pieces, Votes, contacts_of, count_votes, pieces_of
from emseg.store import ItemMarker, StageFolder

STAGE = "match"


def match_phase(place: Workplace[Services], cells: Sequence[int]) -> Phase:
    """Votes of all overlaps among the subvolumes `cells`."""
    items = tuple(place.spec.grid.subvolume(number).name for number in cells)
    return Phase(STAGE, stage_keys(place.spec).match, items, MatchSubvolume(place), _totals)


@dataclass(frozen=True)
class MatchSubvolume:
    """The work on one subvolume's overlaps with its later neighbours."""

    place: Workplace[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Count the votes of the subvolume named `item`."""
        spec, folder, segmented = self.place.spec, self.place.folder(STAGE), self.place.folder(SEGMENT)
        number = number_of(item)
        neighbours = self._later_neighbours(number)
        names = [item, *(spec.grid.subvolume(neighbour).name for neighbour in neighbours)]
        own, *theirs = segmented.item_markers(names)
        labels = read_labels(segmented, own, "labels")
        tables: dict[str, Votes | Pieces | Contacts] = {
            "pieces": pieces_of(labels, number, spec.grid.subvolume(number).core, spec.grid.bounds),
            "contacts": contacts_of(labels, number, spec.volume.voxel_size_nm),
        }
        del labels
        tables["votes"] = Votes.joined(
            count_votes(
                spec.grid.overlap(number, neighbour),
                read_labels(segmented, own, overlap_name(neighbour)),
                read_labels(segmented, marker, overlap_name(number)),
                spec.volume.voxel_size_nm,
            )
            for neighbour, marker in zip(neighbours, theirs, strict=True)
        )
        artefacts = [
            folder.write_artefact(item, name, encode_table(table.to_arrow())) for name, table in tables.items()
        ]
        return folder.commit_item(item, artefacts, {name: len(table) for name, table in tables.items()})

    def _later_neighbours(self, number: int) -> list[int]:
        """Neighbours that are computed and come after this subvolume."""
        grid, roi = self.place.spec.grid, self.place.open_services().roi(self.place.spec)
        return [n for n in grid.neighbours(number) if n > number and is_chosen(roi, grid.subvolume(n).core)]


def read_labels(folder: StageFolder, marker: ItemMarker, name: str) -> npt.NDArray[np.uint32]:
    """Labels kept in artefact `name` of an item, checksum verified."""
    labels: npt.NDArray[np.uint32] = decode_array(folder.read_artefact(marker.artefact(name)))
    return labels


def _totals(markers: Sequence[ItemMarker]) -> Scalars:
    return {name: sum(int(marker.statistics[name]) for marker in markers) for name in ("votes", "pieces", "contacts")}
