"""What stitching did in one run, for people: its ledger, mapping and pieces, and how two runs differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.config import RunSpec
from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, Score, merged, score
from emseg.links import neuroglancer_link
from emseg.stages.complete_labelmap import RENAMED
from emseg.stages.complete_labelmap import STAGE as WRITE
from emseg.stages.keys import stage_keys
from emseg.stages.match import STAGE as MATCH
from emseg.stages.renaming import RENAMED_SCHEMA, Renaming
from emseg.stages.resolve_bodies import ITEM, read_mapping, read_table
from emseg.stages.resolve_bodies import STAGE as RESOLVE
from emseg.stages.run_folder import RunFolder
from emseg.stages.services import DvidServices, segmentation_uuid
from emseg.stitch import LEDGER_SCHEMA, PIECE_SCHEMA, Ids, Mapping, Pieces, cells_of
from emseg.store import ObjectMissingError, StageFolder


@dataclass(frozen=True, eq=False)
class StitchReview:
    """The stitching of a run whose phase `resolve` is done. Ids are those of the segmentation.

    DVID shows a supervoxel under another name where an old one had its id: `shown` and `numbered` go there and back.
    """

    spec: RunSpec
    services: DvidServices

    @classmethod
    def of(cls, services: DvidServices, dataset: str, run: str) -> StitchReview:
        """PermanentError for an unknown run, or one that is not stitched."""
        try:
            review = cls(RunFolder(services.store, dataset, run).pinned(), services)
        except ObjectMissingError:
            raise PermanentError(
                "looking at the stitching of a run", f"{dataset}, run {run}", "no such run", "List them: emseg status"
            ) from None
        if review._folder(RESOLVE).stage_marker() is None:
            raise PermanentError(
                "looking at the stitching of a run", f"{dataset}, run {run}", "it is not stitched", "Run `stitch` first"
            )
        return review

    @property
    def segment_key(self) -> str:
        """Key of the segmentation: supervoxel ids mean something in it alone."""
        return stage_keys(self.spec).segment

    @cached_property
    def ledger(self) -> pa.Table:
        """Every vote with its numbers and what became of it (`LEDGER_SCHEMA`)."""
        folder = self._folder(RESOLVE)
        (marker,) = folder.item_markers([ITEM])
        return read_table(folder, marker, "ledger", LEDGER_SCHEMA)

    @cached_property
    def mapping(self) -> Mapping:
        """Body of each supervoxel."""
        return read_mapping(self._folder(RESOLVE))

    @cached_property
    def pieces(self) -> Pieces:
        """Every supervoxel with its size."""
        folder = self._folder(MATCH)
        return Pieces.joined(
            Pieces.from_arrow(read_table(folder, marker, "pieces", PIECE_SCHEMA)) for marker in folder.manifest()
        )

    @cached_property
    def _renaming(self) -> Renaming:
        """Supervoxels that have another name in DVID; none as long as the run is not written."""
        folder = self._folder(WRITE)
        markers = folder.manifest() if folder.stage_marker() is not None else []
        # Markers of earlier versions do not say how many there are.
        some = [marker for marker in markers if marker.statistics.get("renamed", 1)]
        return Renaming.joined([Renaming.from_arrow(read_table(folder, m, RENAMED, RENAMED_SCHEMA)) for m in some])

    def shown(self, ids: Ids) -> Ids:
        """Supervoxels or bodies under the names that they have in DVID; any shape."""
        return self._renaming.applied_to(ids)

    def shown_rows(self, rows: pa.Table) -> pa.Table:
        """Rows of the ledger under the names that their supervoxels have in DVID."""
        for name in ("first", "second", "apart_first", "apart_second"):
            ids = self.shown(rows[name].fill_null(0).to_numpy())
            rows = rows.set_column(rows.column_names.index(name), name, pa.array(ids, mask=ids == 0))
        return rows

    def numbered(self, name: int) -> int:
        """The id in the segmentation of what DVID shows as `name`; PermanentError where that is of an earlier run."""
        ids = np.array([name], np.uint64)
        number = self._renaming.reverse.applied_to(ids)
        if number == ids and np.isin(ids, self._renaming.supervoxels):
            raise PermanentError(
                "looking at the stitching of a run",
                f"{name} of run {self.spec.run}",
                "it was there before: the run left it as it was",
                "Name the run that made it: --run",
            )
        return int(number[0])

    def voxels(self, supervoxels: Ids) -> int:
        """Voxels of some supervoxels together."""
        return int(self.pieces.voxels[np.isin(self.pieces.supervoxel, supervoxels)].sum())

    def link(self, supervoxel: int, bodies: list[int]) -> str:
        """Neuroglancer link to the middle of the subvolume that a supervoxel is of."""
        core = self.spec.grid.subvolume(int(cells_of(np.array([supervoxel], np.uint64))[0])).core
        z, y, x = ((a + b) / 2 for a, b in zip(core.start, core.stop, strict=True))
        return neuroglancer_link(
            self.services.server.url,
            segmentation_uuid(self.spec),
            self.spec.volume.grayscale,
            self.spec.output.instance,
            position_vox=(z, y, x),
            voxel_size_nm=self.spec.volume.voxel_size_nm,
            bodies=bodies,
        )

    def _folder(self, stage: str) -> StageFolder:
        return StageFolder.reader(self.services.store, self.spec.dataset, stage, getattr(stage_keys(self.spec), stage))


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
    ids, voxels = one.pieces.supervoxel, one.pieces.voxels
    before, after = one.mapping.body_of(ids), other.mapping.body_of(ids)
    table = merged([ContingencyTable(after, before, voxels)])
    return Difference(
        score(table),
        _in_several(one.shown(table.groundtruth), table.count),
        _in_several(other.shown(table.segmentation), table.count),
    )


def _in_several(bodies: Ids, voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Bodies that have several of the rows: body, number of rows, voxels."""
    names, place, count = np.unique(bodies, return_inverse=True, return_counts=True)
    size = np.bincount(place, weights=voxels).astype(np.uint64)
    several = np.flatnonzero(count > 1)
    rows = np.stack([names[several], count[several].astype(np.uint64), size[several]], axis=1)
    return rows[np.argsort(-rows[:, 2].astype(np.int64), kind="stable")]
