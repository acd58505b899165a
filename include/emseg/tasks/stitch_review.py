"""What stitching did in one run, for people: its ledger, mapping and supervoxels, and how two runs differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.config import RunSpec
from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, Score, merged, score
from emseg.phases.match.artefacts import SUPERVOXELS
from emseg.phases.resolve.artefacts import LEDGER, mapping_parts, parts_of_result, read_mapping
from emseg.phases.resolve.items import RegionItem, regions_of
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import SUBSTITUTES
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.stitch import LEDGER_SCHEMA, BodyMapping, Ids, Supervoxels, cells_of
from emseg.store import ItemMarker, ObjectMissingError, ahead
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import link_to
from emseg.tasks.views import view_of_bodies, whole_view


@dataclass(frozen=True, eq=False)
class StitchReview:
    """The stitching of a run whose phase `resolve` is done. Ids are those of the segmentation.

    DVID shows a supervoxel under another name where an old one had its id: `shown` and `numbered` go there and back.
    """

    run: RunContext[DvidServices]

    @property
    def spec(self) -> RunSpec:
        """The pinned run."""
        return self.run.spec

    @classmethod
    def of(cls, services: DvidServices, dataset: str, run: str) -> StitchReview:
        """PermanentError for an unknown run, or one that is not stitched."""
        try:
            context = RunFolder(services.store, dataset, run).pinned_context(lambda: services)
        except ObjectMissingError:
            raise PermanentError(
                "looking at the stitching of a run",
                f"{dataset}, run {run}",
                "no such run",
                f"List them: emseg runs {dataset}",
            ) from None
        if context.folder("resolve").phase_marker() is None:
            raise PermanentError(
                "looking at the stitching of a run",
                f"{dataset}, run {run}",
                "it is not stitched, or damage was found in its stitching since",
                f"Clear its task `stitch` in Airflow, or: emseg run {dataset} --again {run}",
            )
        return cls(context)

    @property
    def segment_key(self) -> str:
        """Key of the segmentation: supervoxel ids mean something in it alone."""
        return self.run.keys["segment"]

    def ledger_rows(self, chosen: Callable[[pa.Table], pa.Table]) -> pa.Table:
        """The rows that `chosen` takes of the ledger of each region (`LEDGER_SCHEMA`); a few regions are in memory."""
        folder = self.run.folder("resolve")
        parts = ahead(lambda marker: chosen(LEDGER.read(folder, marker)), parts_of_result(self.run))
        return pa.concat_tables([LEDGER_SCHEMA.empty_table(), *parts])

    def members(self, body: int) -> Ids:
        """Supervoxels of a body, ascending; a body that was never joined has itself."""
        found = [part.supervoxels[part.bodies == np.uint64(body)] for part in mapping_parts(self.run)]
        members = np.unique(np.concatenate([np.empty(0, np.uint64), *found]))
        return members if len(members) else np.array([body], np.uint64)

    def body_of(self, ids: Ids) -> Ids:
        """Body of each supervoxel, any shape."""
        known = cells_of(np.unique(ids))
        return read_mapping(self.run, known[known < self.run.grid.shape.product].tolist()).body_of(ids)

    def bodies_by_region(self) -> Iterator[tuple[Supervoxels, BodyMapping]]:
        """The supervoxels of each region of the volume, and their bodies."""
        regions = regions_of(self.run)
        for mapping, marker in zip(mapping_parts(self.run), parts_of_result(self.run), strict=True):
            cells = regions.cells(0, RegionItem.of_name(marker.item).number).tolist()
            yield self._of_cells(cells), mapping

    @cached_property
    def _substitutes(self) -> SubstituteIds:
        """Supervoxels that have another id in DVID; none as long as the run is not written."""
        folder = self.run.folder("write")
        markers = folder.manifest() if folder.phase_marker() is not None else []
        some = [marker for marker in markers if marker.statistics["renamed"]]
        return SubstituteIds.joined(SUBSTITUTES.read_as(SubstituteIds, folder, some))

    def shown(self, ids: Ids) -> Ids:
        """Supervoxels or bodies under the names that they have in DVID; any shape."""
        return self._substitutes.applied_to(ids)

    def shown_rows(self, rows: pa.Table) -> pa.Table:
        """Rows of the ledger under the names that their supervoxels have in DVID."""
        for name in ("first", "second", "apart_first", "apart_second"):
            ids = self.shown(rows[name].fill_null(0).to_numpy())
            rows = rows.set_column(rows.column_names.index(name), name, pa.array(ids, mask=ids == 0))
        return rows

    def numbered(self, name: int) -> int:
        """The id in the segmentation of what DVID shows as `name`; PermanentError where that is of an earlier run."""
        ids = np.array([name], np.uint64)
        number = self._substitutes.reverse.applied_to(ids)
        if number == ids and np.isin(ids, self._substitutes.default):
            raise PermanentError(
                "looking at the stitching of a run",
                f"{name} of run {self.spec.run}",
                "it was there before: the run left it as it was",
                "Name the run that made it: --run",
            )
        return int(number[0])

    def voxels(self, supervoxels: Ids) -> int:
        """Voxels of some supervoxels together."""
        some = self._of_cells(np.unique(cells_of(supervoxels)).tolist())
        return int(some.voxels[np.isin(some.supervoxel, supervoxels)].sum())

    def has(self, supervoxel: int) -> bool:
        """Whether the segmentation has such a supervoxel."""
        return supervoxel in self._of_cells(cells_of(np.array([supervoxel], np.uint64)).tolist()).supervoxel

    def _of_cells(self, cells: Iterable[int]) -> Supervoxels:
        """Every supervoxel of some cells with its size."""
        inside = (number for number in cells if number < self.run.grid.shape.product)
        return self._supervoxels(self.run.folder("match").manifest_of(map(self._name_of, inside)))

    def _name_of(self, cell: int) -> str:
        return self.run.grid.subvolume(cell).name

    def _supervoxels(self, markers: Iterable[ItemMarker]) -> Supervoxels:
        return Supervoxels.joined(SUPERVOXELS.read_as(Supervoxels, self.run.folder("match"), markers))

    def link(self, body: int) -> str:
        """Neuroglancer link to a body, or to all of the volume as long as the run is not written."""
        written = self.run.folder("write").phase_marker() is not None
        return link_to(self.run, view_of_bodies(self.run, (body,)) if written else whole_view(self.spec))


@dataclass(frozen=True, eq=False)
class Difference:
    """Two stitchings of one segmentation. `split` and `joined` have a row for each body that changed, largest first.

    `split`: body of the first, bodies that it is in the second, voxels; `joined`: the other way round.
    """

    score: Score
    split: npt.NDArray[np.uint64]
    joined: npt.NDArray[np.uint64]


def difference(one: StitchReview, other: StitchReview) -> Difference:
    """What changed from `one` to `other`; PermanentError when they are of different segmentations."""
    if one.segment_key != other.segment_key:
        raise PermanentError(
            "comparing two stitchings",
            f"runs {one.spec.run} and {other.spec.run}",
            "they stitch different segmentations, so their supervoxels are not the same",
            "Compare two runs that differ in stitching or edits only",
        )
    parts = zip(one.bodies_by_region(), mapping_parts(other.run), strict=True)
    table = merged(
        [
            ContingencyTable(after.body_of(each.supervoxel), before.body_of(each.supervoxel), each.voxels)
            for (each, before), after in parts
        ]
    )
    return Difference(
        score(table),
        _in_several(one.shown(table.groundtruth), table.count),
        _in_several(other.shown(table.segmentation), table.count),
    )


def _in_several(bodies: Ids, voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Bodies that have several of the rows: body, number of rows, voxels."""
    names, which, count = np.unique(bodies, return_inverse=True, return_counts=True)
    size = np.bincount(which, weights=voxels).astype(np.uint64)
    several = np.flatnonzero(count > 1)
    rows = np.stack([names[several], count[several].astype(np.uint64), size[several]], axis=1)
    return rows[np.argsort(-rows[:, 2].astype(np.int64), kind="stable")]
