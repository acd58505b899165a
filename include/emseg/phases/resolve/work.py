"""The work on one region: join what can be joined in it, or write its part of mapping and ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emseg.array_types import Flags, Ids
from emseg.codec.column_table import StoredTable
from emseg.errors import IntegrityError
from emseg.geometry import cells_of
from emseg.phases.resolve.artefacts import (
    APART,
    CANDIDATES,
    CONTESTED,
    DECIDED,
    LEDGER,
    MAPPING,
    NAMES,
    OPEN_BODIES,
    OPEN_CANDIDATES,
)
from emseg.phases.resolve.evidence import RegionOfVotes, pair_constraints_of
from emseg.phases.resolve.items import BODIES, JOIN, STRONG, RegionItem, regions_of, regions_used
from emseg.phases.run_context import RunContext
from emseg.phases.services import Services
from emseg.stitch import BodyMapping, Votes, contradicted
from emseg.stitch.joining import (
    ApartPairs,
    Decided,
    OpenBodies,
    OpenCandidates,
    Undecided,
    contesting,
    join_region,
    strong_only,
)
from emseg.stitch.ledger import ledger_of
from emseg.stitch.resolve import join_counts
from emseg.store import Artefact, ItemMarker

NAME = "resolve"


@dataclass(frozen=True)
class ResolveRegion:
    """The work on the item of a name."""

    run: RunContext[Services]

    @classmethod
    def of(cls, run: RunContext[Services]) -> ResolveRegion:
        """PermanentError where what people said contradicts itself."""
        if len(pair := pair_constraints_of(run.spec.edits)[0].contradiction()):
            raise contradicted("resolving bodies", pair)
        return cls(run)

    def __call__(self, item: str) -> ItemMarker:
        """Do what the name says, with that region."""
        region = RegionItem.of_name(item)
        if region.does == BODIES:
            return WriteBodies(self.run, region)()
        return self._joined_first(region) if region.level == 0 else self._joined_above(region)

    def _joined_first(self, region: RegionItem) -> ItemMarker:
        evidence, candidates, weak = RegionOfVotes(self.run, region.number).evidence()
        if region.does == STRONG:
            return self._commit(region, strong_only(evidence), [])
        if len(pair_constraints_of(self.run.spec.edits)[0].cannot_link):
            evidence = contesting(evidence, self._contested(region, evidence.bodies.body))
        table = pa.table([candidates.first, candidates.second, weak], schema=CANDIDATES.schema)
        return self._commit(region, evidence, [CANDIDATES.write(self.run.folder(NAME), region.name, table)])

    def _joined_above(self, region: RegionItem) -> ItemMarker:
        regions, folder = regions_of(self.run), self.run.folder(NAME)
        smaller = np.unique(regions.holding(regions.cells(region.level, region.number), region.level - 1)).tolist()
        used = sorted(set(smaller) & set(regions_used(self.run, region.level - 1)))
        # A marker that is missing by now is an error: without its region the others would join as if it were empty.
        markers = folder.item_markers(RegionItem(region.does, region.level - 1, number).name for number in used)
        parts = (
            Undecided(*each)
            for each in zip(
                OPEN_CANDIDATES.read_as(OpenCandidates, folder, markers),
                OPEN_BODIES.read_as(OpenBodies, folder, markers),
                APART.read_as(ApartPairs, folder, markers),
                strict=True,
            )
        )
        return self._commit(region, Undecided.joined(parts), [])

    def _commit(self, region: RegionItem, evidence: Undecided, artefacts: list[Artefact]) -> ItemMarker:
        spec, folder, item = self.run.spec, self.run.folder(NAME), region.name
        joining = join_region(evidence, spec.stitching.constraints, spec.volume.voxel_size_nm)
        tables = {
            OPEN_CANDIDATES: joining.left.candidates.to_arrow(),
            OPEN_BODIES: joining.left.bodies.to_arrow(),
            APART: joining.left.apart.to_arrow(),
            CONTESTED: pa.table([joining.contested], schema=CONTESTED.schema),
        }
        artefacts += [artefact.write(folder, item, table) for artefact, table in tables.items()]
        artefacts += [
            NAMES.write_parts(folder, item, self._by_smaller(region, joining.names, joining.names.supervoxels)),
            DECIDED.write_parts(folder, item, self._by_smaller(region, joining.decided, joining.decided.first)),
        ]
        known = {
            "candidates": evidence.candidates,
            "bodies": evidence.bodies,
            "apart": evidence.apart,
            "left": joining.left.candidates,
        }
        return folder.commit_item(item, artefacts, {name: len(table) for name, table in known.items()})

    def _by_smaller(self, region: RegionItem, table: StoredTable, ids: Ids) -> dict[str, pa.Table]:
        """The rows of each region of the level below (of itself at the first level) that holds their ids."""
        of = regions_of(self.run).holding(cells_of(ids), max(region.level - 1, 0))
        return {str(number): table.rows(of == number).to_arrow() for number in np.unique(of).tolist()}

    def _contested(self, region: RegionItem, nodes: Ids) -> Ids:
        """Those of the supervoxels `nodes` (ascending) that people part though all strong evidence joins them."""
        names, contested = nodes, np.zeros(len(nodes), bool)
        for level in levels_above(self.run, RegionItem(STRONG, 0, region.number)):
            names = level.names.body_of(names)
            contested |= np.isin(names, CONTESTED.read(self.run.folder(NAME), level.marker)["body"].to_numpy())
        return nodes[contested]


@dataclass(frozen=True)
class Level:
    """The region of some level that holds a region of the first one, and what it tells about what is in that."""

    marker: ItemMarker
    names: BodyMapping
    decided: Decided


def levels_above(run: RunContext[Services], first: RegionItem) -> Iterator[Level]:
    """A region of the first level and those that hold it, level by level."""
    regions, folder = regions_of(run), run.folder(NAME)
    cell = regions.cells(0, first.number)[:1]
    numbers = [int(regions.holding(cell, level)[0]) for level in range(regions.levels)]
    for level, number in enumerate(numbers):
        (marker,) = folder.item_markers([RegionItem(first.does, level, number).name])
        part = str(numbers[max(level - 1, 0)])
        names, decided = (artefact.read_part(folder, marker, part) for artefact in (NAMES, DECIDED))
        yield Level(marker, BodyMapping.from_arrow(names), Decided.from_arrow(decided))


@dataclass(frozen=True)
class WriteBodies:
    """Writes mapping and ledger of one region of the first level, when all levels are done."""

    run: RunContext[Services]
    region: RegionItem

    def __call__(self) -> ItemMarker:
        """Artefacts `mapping` and `ledger`; statistics are what was counted."""
        folder, region = self.run.folder(NAME), RegionOfVotes(self.run, self.region.number)
        levels = list(levels_above(self.run, RegionItem(JOIN, 0, self.region.number)))
        judged = region.own_votes()
        ledger = ledger_of(
            judged, self._weak(levels[0].marker, judged.candidates), Decided.joined(level.decided for level in levels)
        )
        mapping = self._mapping(levels)
        artefacts = [
            MAPPING.write(folder, self.region.name, mapping.to_arrow()),
            LEDGER.write(folder, self.region.name, ledger),
        ]
        return folder.commit_item(self.region.name, artefacts, join_counts(ledger, mapping, region.contacts()))

    def _mapping(self, levels: Sequence[Level]) -> BodyMapping:
        """Bodies of the supervoxels of the region: those that were joined in it, and those that were left open."""
        left = OPEN_BODIES.read(self.run.folder(NAME), levels[0].marker)["body"].to_numpy()
        nodes = np.union1d(levels[0].names.supervoxels, left)
        return BodyMapping.followed(nodes, [level.names for level in levels])

    def _weak(self, marker: ItemMarker, candidates: Votes) -> Flags:
        """Which of the candidates, by ids, the region found weak."""
        table = CANDIDATES.read(self.run.folder(NAME), marker)
        if not all(np.array_equal(table[side].to_numpy(), getattr(candidates, side)) for side in ("first", "second")):
            raise IntegrityError(
                "writing mapping and ledger",
                f"{self.region.name} of run {self.run.spec.run}",
                f"phase `match` has {len(candidates)} candidates there, the region had {len(table)} or others",
                "Remove the folder of phase `resolve` with this key: it was computed of other votes; then try again",
            )
        flags: Flags = table["weak"].to_numpy()
        return flags
