"""The work on one subvolume's overlaps with its later neighbours.

Memory of a task: the labels of its core, then two overlap slabs at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emseg.codec.column_table import StoredTable
from emseg.phases.artefact import TableArtefact
from emseg.phases.match.artefacts import CONTACTS, CROSSINGS, SUPERVOXELS, VOTES
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import SegmentedSubvolume
from emseg.phases.services import Services
from emseg.stitch import (
    Crossings,
    Votes,
    contacts_of,
    count_votes,
    inside_crossings,
    seam_crossings,
    supervoxels_of,
)
from emseg.store import ItemMarker

NAME = "match"


@dataclass(frozen=True)
class MatchSubvolume:
    """Counts the votes of the subvolume of a name, and who touches whom in its core."""

    run: RunContext[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Count the votes of the subvolume named `item`."""
        spec, grid = self.run.spec, self.run.grid
        subvolume = grid.subvolume_named(item)
        number = subvolume.number
        neighbours = [n for n in grid.neighbours(number) if n > number and self.run.is_selected(n)]
        own, *theirs = SegmentedSubvolume.several(self.run, [number, *neighbours])
        labels = own.core_labels()
        supervoxels = supervoxels_of(labels, number, subvolume.core, grid.bounds)
        contacts = contacts_of(labels, number, spec.volume.voxel_size_nm)
        crossings, votes = [inside_crossings(labels, number)], []
        del labels
        for neighbour, other in zip(neighbours, theirs, strict=True):
            overlap = grid.overlap(number, neighbour)
            slabs = own.overlap_labels(neighbour), other.overlap_labels(number)
            votes.append(count_votes(overlap, *slabs, spec.volume.voxel_size_nm))
            crossings.append(seam_crossings(overlap, *slabs))
        tables = {
            SUPERVOXELS: supervoxels,
            CONTACTS: contacts,
            VOTES: Votes.joined(votes),
            CROSSINGS: Crossings.joined(crossings),
        }
        return self._committed(item, tables)

    def _committed(self, item: str, tables: Mapping[TableArtefact, StoredTable]) -> ItemMarker:
        folder = self.run.folder(NAME)
        artefacts = [artefact.write(folder, item, table.to_arrow()) for artefact, table in tables.items()]
        return folder.commit_item(item, artefacts, {artefact.name: len(table) for artefact, table in tables.items()})
