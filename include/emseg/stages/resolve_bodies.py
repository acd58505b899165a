"""Phase `resolve`: all votes, pieces and contacts in; the mapping from supervoxels to bodies and the merge ledger out.

One item, run in the driver: the whole algorithm is global. `python -m benchmarks resolution` prints its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emseg.codec import decode_table, encode_table
from emseg.config.edits import EditKind, Edits
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.match import STAGE as MATCH
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.segment import quarantined_cells
from emseg.stages.services import Services, Workplace
from emseg.stitch import (
    CONTACT_SCHEMA,
    MAPPING_SCHEMA,
    PIECE_SCHEMA,
    VOTE_SCHEMA,
    Contacts,
    Evidence,
    Ids,
    Links,
    Mapping,
    Pieces,
    Votes,
    resolve,
)
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
        spec, folder = self.place.spec, self.place.folder(STAGE)
        links, dropped = links_of(spec.edits)
        resolution = resolve(self._evidence(), spec.stitching, spec.volume.voxel_size_nm, links, dropped)
        artefacts = [
            folder.write_artefact(item, "mapping", encode_table(resolution.mapping.to_arrow())),
            folder.write_artefact(item, "ledger", encode_table(resolution.ledger)),
        ]
        return folder.commit_item(item, artefacts, resolution.counts)

    def _evidence(self) -> Evidence:
        matched = self.place.folder(MATCH)
        markers = list(matched.manifest())

        def tables(name: str, schema: pa.Schema) -> Iterator[pa.Table]:
            return (read_table(matched, marker, name, schema) for marker in markers)

        return Evidence(
            Votes.joined(map(Votes.from_arrow, tables("votes", VOTE_SCHEMA))),
            Pieces.joined(map(Pieces.from_arrow, tables("pieces", PIECE_SCHEMA))),
            Contacts.joined(map(Contacts.from_arrow, tables("contacts", CONTACT_SCHEMA))),
            quarantined_cells(self.place.folder(SEGMENT).manifest()),
        )


def links_of(edits: Edits) -> tuple[Links, Ids]:
    """What people said, as pairs of supervoxels: links, and votes that they took back."""
    pairs = {
        kind: np.array([(e.first, e.second) for e in edits.edits if e.kind is kind], np.uint64).reshape(-1, 2)
        for kind in EditKind
    }
    return Links(pairs[EditKind.JOIN], pairs[EditKind.PART]), pairs[EditKind.DROP]


def read_mapping(folder: StageFolder) -> Mapping:
    """The mapping that the phase `resolve` left in its folder."""
    (marker,) = folder.item_markers([ITEM])
    return Mapping.from_arrow(read_table(folder, marker, "mapping", MAPPING_SCHEMA))


def read_table(folder: StageFolder, marker: ItemMarker, name: str, schema: pa.Schema) -> pa.Table:
    """Table kept in artefact `name` of an item, checksum and schema verified."""
    return decode_table(folder.read_artefact(marker.artefact(name)), schema)


def _totals(markers: Sequence[ItemMarker]) -> Scalars:
    return dict(markers[0].statistics)
