"""The work on one subvolume, read from both labelmaps; and the scores of all of them together.

Memory of a task: 24 bytes a core voxel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emseg.engine.run import Scalars
from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, PerSubvolume, Score, contingency_table, merged, score
from emseg.geometry import Box, checked_labels
from emseg.phases.evaluate.artefacts import CONTINGENCY
from emseg.phases.labelmaps import groundtruth, segmentation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import ItemMarker, PhaseFolder

NAME = "evaluate"
LEFT_OUT = "trained_on_voxels"
"""Statistic of an item: labelled voxels that do not count, because the model of the run was trained on them."""


@dataclass(frozen=True)
class EvaluateSubvolume:
    """The work on one subvolume: read both labelmaps, count."""

    run: RunContext[DvidServices]

    def __call__(self, item: str) -> ItemMarker:
        """Count the core of the subvolume named `item`; ground truth outside the ROI, or trained on, does not count."""
        core, roi = self.run.grid.subvolume_named(item).core, self.run.roi
        name = f"{self.run.spec.groundtruth.instance}, voxels {core.start} to {core.stop}"
        truth = checked_labels(groundtruth(self.run).read(core), "reading the ground truth", name)
        if roi is not None:
            truth = np.where(roi.mask(core), truth, np.uint64(0))
        labelled = np.count_nonzero(truth)
        for excluded in self.run.spec.groundtruth.excluded:
            trained_on = Box(excluded.start, excluded.stop).clipped(core)
            if not trained_on.is_empty:  # the slices of an empty box may run backwards
                truth[trained_on.slices(core.start)] = 0
        table = contingency_table(segmentation(self.run).read(core), truth)
        folder = self.run.folder(NAME)
        artefact = CONTINGENCY.write(folder, item, table.to_arrow())
        voxels = int(table.count.sum())
        return folder.commit_item(item, [artefact], {"voxels": voxels, LEFT_OUT: int(labelled) - voxels})


@dataclass(frozen=True)
class MergeTables:
    """Adds the tables of all subvolumes and scores the whole."""

    run: RunContext[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Score of the whole volume; PermanentError when no voxel has ground truth."""
        whole = merged(table_of(self.run.folder(NAME), marker) for marker in markers)
        voxels = int(whole.count.sum())
        if voxels == 0:
            raise PermanentError(
                "evaluating the segmentation",
                f"ground truth {self.run.spec.groundtruth.instance}",
                "no voxel of the evaluated region has ground truth"
                + (" that the model was not trained on" if self.run.spec.groundtruth.excluded else ""),
                "Name a ground truth that covers the ROI, and train on a part of it only",
            )
        figures = score(whole, self.run.spec.groundtruth.unassigned)
        return {
            "voxels": voxels,
            LEFT_OUT: sum(int(marker.statistics[LEFT_OUT]) for marker in markers),
            "vi_split": figures.vi_split,
            "vi_merge": figures.vi_merge,
            "are": figures.adapted_rand_error,
        }


def table_of(folder: PhaseFolder, marker: ItemMarker) -> ContingencyTable:
    """Contingency table of one subvolume, checksum verified."""
    return ContingencyTable.from_arrow(CONTINGENCY.read(folder, marker), marker.item)


@dataclass(frozen=True)
class Evaluation:
    """All that was measured: the merged table, its score, and the score of each subvolume that has ground truth.

    `left_out` are the labelled voxels that the model was trained on; they are in none of the figures. `parts` are the
    tables of the subvolumes.
    """

    whole: ContingencyTable
    score: Score
    subvolumes: Mapping[str, Score]
    left_out: int
    parts: PerSubvolume


def read_evaluation(run: RunContext[DvidServices]) -> Evaluation:
    """The result of the phase, from its manifest."""
    folder, unassigned = run.folder(NAME), run.spec.groundtruth.unassigned
    markers = folder.manifest()
    tables = {marker.item: table_of(folder, marker) for marker in markers}
    parts = PerSubvolume.of(tables)
    scored = {item: score(table, unassigned) for item, table in tables.items() if table.count.sum() > 0}
    left_out = sum(int(marker.statistics[LEFT_OUT]) for marker in markers)
    return Evaluation(parts.whole, score(parts.whole, unassigned), scored, left_out, parts)
