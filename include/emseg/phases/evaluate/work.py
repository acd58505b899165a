"""The work on one subvolume, read from both labelmaps; and the scores of all of them together.

Memory of a task: 24 bytes a voxel of the core; with a band at boundaries 21 more a voxel of the core and the band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emseg.engine.run import Scalars
from emseg.errors import PermanentError
from emseg.evaluate import (
    ContingencyTable,
    PerSubvolume,
    Score,
    contingency_table,
    large_bodies,
    merged,
    only_bodies,
    score,
)
from emseg.phases.evaluate.artefacts import CONTINGENCY
from emseg.phases.evaluate.truth import at_scale, counted_truth
from emseg.phases.labelmaps import measured_on, segmentation_labels
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
        """Count the core of the subvolume named `item`."""
        core, scale = self.run.grid.subvolume_named(item).core, measured_on(self.run).scale
        truth, left_out = counted_truth(self.run, core)
        labels = segmentation_labels(self.run, at_scale(core, scale), scale)
        table = contingency_table(labels, truth)
        folder = self.run.folder(NAME)
        artefact = CONTINGENCY.write(folder, item, table.to_arrow())
        return folder.commit_item(item, [artefact], {"voxels": table.voxels, LEFT_OUT: left_out})


@dataclass(frozen=True)
class MergeTables:
    """Adds the tables of all subvolumes and scores the whole."""

    run: RunContext[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Score of the whole volume; PermanentError when no voxel has ground truth."""
        wanted = measured_on(self.run)
        whole = merged(table_of(self.run.folder(NAME), marker) for marker in markers)
        missing = sorted(set(wanted.bodies) - set(whole.groundtruth.tolist()))
        if missing:
            raise PermanentError(
                "evaluating the segmentation",
                f"ground truth {wanted.instance}, bodies",
                f"of {', '.join(map(str, missing[:10]))} no voxel counts in the evaluated region",
                "List bodies of that instance as the pinned version names them, which have voxels in the ROI",
            )
        whole = large_bodies(whole, wanted.min_body_vox)
        if len(whole) == 0:
            raise PermanentError(
                "evaluating the segmentation",
                f"ground truth {wanted.instance}",
                "no voxel of the evaluated region has ground truth that counts"
                + (", and that the model was not trained on" if wanted.excluded else ""),
                "Name a ground truth that covers the ROI, train on a part of it only, and let "
                "ignore_boundary_nm and min_body_vox leave some of it",
            )
        figures = score(whole, wanted.unassigned)
        return {
            "voxels": whole.voxels,
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
    folder, wanted = run.folder(NAME), measured_on(run)
    unassigned, markers = wanted.unassigned, folder.manifest()
    tables = {marker.item: table_of(folder, marker) for marker in markers}
    whole = large_bodies(merged(tables.values()), wanted.min_body_vox)
    tables = {item: only_bodies(table, whole.groundtruth) for item, table in tables.items()}
    parts = PerSubvolume.of(tables)
    scored = {item: score(table, unassigned) for item, table in tables.items() if len(table)}
    left_out = sum(int(marker.statistics[LEFT_OUT]) for marker in markers)
    return Evaluation(parts.whole, score(parts.whole, unassigned), scored, left_out, parts)
