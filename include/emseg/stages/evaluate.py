"""Phase `evaluate`: segmentation and ground truth read from DVID, contingency tables and scores out.

One item is one subvolume, its artefact `contingency` the table of its core. Tables add up over subvolumes, so the
scores of the whole are exact: the driver merges them for the stage marker. Memory of a task: 24 bytes a core voxel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, Score, contingency_table, merged, score
from emseg.stages.engine import Phase, Scalars
from emseg.stages.keys import stage_keys
from emseg.stages.segment import number_of
from emseg.stages.services import DvidServices, Workplace
from emseg.store import ItemMarker, StageFolder

STAGE = "evaluate"
LEFT_OUT = "trained_on_voxels"
"""Statistic of an item: labelled voxels that do not count, because the model of the run was trained on them."""


def evaluate_phase(place: Workplace[DvidServices], cells: Sequence[int]) -> Phase:
    """Evaluation of the subvolumes `cells`."""
    items = tuple(place.spec.grid.subvolume(number).name for number in cells)
    return Phase(STAGE, stage_keys(place.spec).evaluate, items, EvaluateSubvolume(place), MergeTables(place))


@dataclass(frozen=True)
class EvaluateSubvolume:
    """The work on one subvolume: read both labelmaps, count."""

    place: Workplace[DvidServices]

    def __call__(self, item: str) -> ItemMarker:
        """Count the core of the subvolume named `item`; ground truth outside the ROI, or trained on, does not count."""
        spec, services = self.place.spec, self.place.open_services()
        core = spec.grid.subvolume(number_of(item)).core
        groundtruth = services.groundtruth(spec).read(core)
        roi = services.roi(spec)
        if roi is not None:
            groundtruth = np.where(roi.mask(core), groundtruth, np.uint64(0))
        labelled = np.count_nonzero(groundtruth)
        for excluded in spec.groundtruth.excluded:
            seen = excluded.box.clipped(core)
            if not seen.is_empty:  # the slices of an empty box may run backwards
                groundtruth[seen.slices(core.start)] = 0
        table = contingency_table(services.segmentation(spec).read(core), groundtruth)
        folder = self.place.folder(STAGE)
        artefact = folder.write_artefact(item, "contingency", table.to_parquet())
        voxels = int(table.count.sum())
        return folder.commit_item(item, [artefact], {"voxels": voxels, LEFT_OUT: int(labelled) - voxels})


@dataclass(frozen=True)
class MergeTables:
    """Adds the tables of all subvolumes and scores the whole."""

    place: Workplace[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Score of the whole volume; PermanentError when no voxel has ground truth."""
        whole = merged(table_of(self.place.folder(STAGE), marker) for marker in markers)
        voxels = int(whole.count.sum())
        if voxels == 0:
            raise PermanentError(
                "evaluating the segmentation",
                f"ground truth {self.place.spec.groundtruth.instance}",
                "no voxel of the evaluated region has ground truth"
                + (" that the model was not trained on" if self.place.spec.groundtruth.excluded else ""),
                "Name a ground truth that covers the ROI, and train on a part of it only",
            )
        figures = score(whole)
        return {
            "voxels": voxels,
            LEFT_OUT: sum(int(marker.statistics[LEFT_OUT]) for marker in markers),
            "vi_split": figures.vi_split,
            "vi_merge": figures.vi_merge,
            "are": figures.adapted_rand_error,
        }


def table_of(folder: StageFolder, marker: ItemMarker) -> ContingencyTable:
    """Contingency table of one subvolume, checksum verified."""
    return ContingencyTable.from_parquet(folder.read_artefact(marker.artefact("contingency")), marker.item)


@dataclass(frozen=True)
class Evaluation:
    """All that was measured: the merged table, its score, and the score of each subvolume that has ground truth.

    `left_out` are the labelled voxels that the model was trained on; they are in none of the figures.
    """

    whole: ContingencyTable
    score: Score
    subvolumes: Mapping[str, Score]
    left_out: int


def read_evaluation(folder: StageFolder) -> Evaluation:
    """The result of the phase, from its manifest."""
    markers = folder.manifest()
    tables = {marker.item: table_of(folder, marker) for marker in markers}
    whole = merged(tables.values())
    scored = {item: score(table) for item, table in tables.items() if table.count.sum() > 0}
    left_out = sum(int(marker.statistics[LEFT_OUT]) for marker in markers)
    return Evaluation(whole, score(whole), scored, left_out)
