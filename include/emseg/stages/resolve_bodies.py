"""Phase `resolve`: all votes in, the mapping from supervoxels to bodies and the merge ledger out.

One item, run in the driver: the whole algorithm is global. Memory: about 60 bytes a vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from emseg.codec import decode_table, encode_table
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.match import STAGE as MATCH
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.segment import quarantined_cells
from emseg.stages.services import Services, Workplace
from emseg.stitch import MAPPING_SCHEMA, VOTE_SCHEMA, Mapping, Votes, resolve
from emseg.store import ItemMarker, StageFolder

STAGE = "resolve"
ITEM = "bodies"


def resolve_phase(place: Workplace[Services]) -> Phase:
    """Bodies over the whole volume."""
    return Phase(STAGE, stage_keys(place.spec).resolve, (ITEM,), ResolveBodies(place), _totals)


@dataclass(frozen=True)
class ResolveBodies:
    """The one global step of stitching."""

    place: Workplace[Services]

    def __call__(self, item: str) -> ItemMarker:
        """Resolve all votes; artefacts `mapping` and `ledger`."""
        matched = self.place.folder(MATCH)
        votes = Votes.joined(
            Votes.from_arrow(read_table(matched, marker, "votes", VOTE_SCHEMA)) for marker in matched.manifest()
        )
        resolution = resolve(votes, self.place.spec.stitching, quarantined_cells(self.place.folder(SEGMENT).manifest()))
        folder = self.place.folder(STAGE)
        artefacts = [
            folder.write_artefact(item, "mapping", encode_table(resolution.mapping.to_arrow())),
            folder.write_artefact(item, "ledger", encode_table(resolution.ledger)),
        ]
        counts = {"candidates": len(votes), "joined": resolution.joined_votes, "mapped": len(resolution.mapping.bodies)}
        return folder.commit_item(item, artefacts, counts)


def read_mapping(folder: StageFolder) -> Mapping:
    """The mapping that the phase `resolve` left in its folder."""
    (marker,) = folder.item_markers([ITEM])
    return Mapping.from_arrow(read_table(folder, marker, "mapping", MAPPING_SCHEMA))


def read_table(folder: StageFolder, marker: ItemMarker, name: str, schema: pa.Schema) -> pa.Table:
    """Table kept in artefact `name` of an item, checksum and schema verified."""
    return decode_table(folder.read_artefact(marker.artefact(name)), schema)


def _totals(markers: Sequence[ItemMarker]) -> Scalars:
    return dict(markers[0].statistics)
