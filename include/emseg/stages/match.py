"""Phase `match`: overlap slabs in, votes out.

One item is one subvolume with the neighbours that come after it, so that each overlap is counted once. Its artefact
`votes` is a table of `VOTE_SCHEMA`. Memory of a task: two overlap slabs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.codec import decode_array, encode_table
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.segment import number_of, overlap_name
from emseg.stages.services import Services, Workplace, is_chosen
from emseg.stitch import Votes, count_votes
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
        votes = Votes.joined(self._votes(item))
        folder = self.place.folder(STAGE)
        artefact = folder.write_artefact(item, "votes", encode_table(votes.to_arrow()))
        return folder.commit_item(item, [artefact], {"votes": len(votes)})

    def _votes(self, item: str) -> Iterator[Votes]:
        grid, number, segmented = self.place.spec.grid, number_of(item), self.place.folder(SEGMENT)
        roi = self.place.open_services().roi(self.place.spec)
        (own,) = segmented.item_markers([item])
        for neighbour in grid.neighbours(number):
            other = grid.subvolume(neighbour)
            if neighbour > number and is_chosen(roi, other.core):
                (theirs,) = segmented.item_markers([other.name])
                yield count_votes(
                    grid.overlap(number, neighbour),
                    read_labels(segmented, own, overlap_name(neighbour)),
                    read_labels(segmented, theirs, overlap_name(number)),
                )


def read_labels(folder: StageFolder, marker: ItemMarker, name: str) -> npt.NDArray[np.uint32]:
    """Labels kept in artefact `name` of an item, checksum verified."""
    labels: npt.NDArray[np.uint32] = decode_array(folder.read_artefact(marker.artefact(name)))
    return labels


def _totals(markers: Sequence[ItemMarker]) -> Scalars:
    return {"votes": sum(int(marker.statistics["votes"]) for marker in markers)}
