"""The work on one subvolume, read from both labelmaps; and the scores of all of them together.

Memory of a task: 24 bytes a voxel of the core; with a band at boundaries 21 more a voxel of the core and the band;
with components 24 more a voxel of the core. Memory of the driver: 100 bytes a row of the parts of components, and what
`emseg.phases.evaluate.figures` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from emseg.engine.run import Scalars
from emseg.errors import PermanentError
from emseg.evaluate import (
    ComponentParts,
    Components,
    ContingencyTable,
    Figure,
    PerSubvolume,
    Score,
    TruthComponents,
    TruthNames,
    Value,
    contingency_table,
    large_bodies,
    merged,
    only_bodies,
    score,
)
from emseg.geometry import Box
from emseg.phases.evaluate.artefacts import COMPONENT_PARTS, CONNECTIONS, CONTINGENCY, POINTS, SKELETON_NODES
from emseg.phases.evaluate.figures import WholeFigures, optional_figures_of
from emseg.phases.evaluate.points import skeleton_nodes_in, synapses_in
from emseg.phases.evaluate.truth import at_scale, counted_parts, counted_truth, evaluated_region
from emseg.phases.labelmaps import measured_on, segmentation_labels
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import Artefact, ItemMarker, PhaseFolder

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
        labels = segmentation_labels(self.run, at_scale(core, scale), scale)
        folder, parts = self.run.folder(NAME), []
        if measured_on(self.run).components:
            truth, left_out, found = counted_parts(self.run, core)
            parts = [COMPONENT_PARTS.write(folder, item, found.to_arrow())]
        else:
            truth, left_out = counted_truth(self.run, core)
        table = contingency_table(labels, truth)
        artefacts = [CONTINGENCY.write(folder, item, table.to_arrow()), *parts, *self._at_points(folder, item, core)]
        return folder.commit_item(item, artefacts, {"voxels": table.voxels, LEFT_OUT: left_out})

    def _at_points(self, folder: PhaseFolder, item: str, core: Box) -> Iterator[Artefact]:
        """Synapses and skeletons, where the dataset has any."""
        wanted = measured_on(self.run)
        if wanted.synapses is not None:
            points, connections = synapses_in(self.run, core)
            yield POINTS.write(folder, item, points.to_arrow())
            yield CONNECTIONS.write(folder, item, connections.to_arrow())
        if wanted.skeletons is not None:
            yield SKELETON_NODES.write(folder, item, skeleton_nodes_in(self.run, core).to_arrow())


@dataclass(frozen=True)
class MergeTables:
    """Adds the tables of all subvolumes and scores the whole."""

    run: RunContext[DvidServices]

    def __call__(self, markers: Sequence[ItemMarker]) -> Scalars:
        """Score of the whole volume; PermanentError when no voxel has ground truth."""
        wanted = measured_on(self.run)
        names = _names_of(self.run, markers)
        whole = merged(table for _, table in _measured_tables(self.run, markers, names))
        missing = sorted(set(wanted.bodies) - set(names.bodies(whole.groundtruth).tolist()))
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
                f"Name a ground truth that covers the ROI, {'train on a part of it only, ' if wanted.excluded else ''}"
                "and let ignore_boundary_nm and min_body_vox leave some of it",
            )
        if self.run.spec.two_labelmaps is not None and not whole.segmentation.any():
            raise PermanentError(
                "evaluating two labelmaps",
                f"segmentation {self.run.spec.output.instance}, ground truth {wanted.instance}",
                "no voxel that counts has a segment",
                "Name a labelmap that holds labels in the evaluated region",
            )
        figures = score(whole, wanted.unassigned)
        return {
            "voxels": whole.voxels,
            LEFT_OUT: sum(int(marker.statistics[LEFT_OUT]) for marker in markers),
            "vi_split": figures.vi_split,
            "vi_merge": figures.vi_merge,
            "are": figures.adapted_rand_error,
            **WholeFigures(self.run, whole)(markers),
        }


def _names_of(run: RunContext[DvidServices], markers: Sequence[ItemMarker]) -> TruthNames:
    """Bodies; or components, joined over all subvolumes."""
    wanted, folder = measured_on(run), run.folder(NAME)
    if not wanted.components:
        return TruthNames()
    parts = COMPONENT_PARTS.read_as(ComponentParts, folder, markers)
    return TruthNames(TruthComponents(Components.of(parts), evaluated_region(run), wanted.scale))


def _measured_tables(
    run: RunContext[DvidServices], markers: Sequence[ItemMarker], names: TruthNames
) -> Iterator[tuple[str, ContingencyTable]]:
    """The table of each subvolume, of segments and what they are measured against."""
    stored = CONTINGENCY.read_as(ContingencyTable, run.folder(NAME), markers)
    for marker, table in zip(markers, stored, strict=True):
        yield marker.item, names.measured(table)


@dataclass(frozen=True)
class Evaluation:
    """All that was measured: the merged table, its score, and the score of each subvolume that has ground truth.

    `left_out` are the labelled voxels that the model was trained on; they are in none of the figures. `parts` are the
    tables of the subvolumes. `figures` are those that a dataset need not have. `names` tell the bodies and places of
    the ground truth in these tables.
    """

    whole: ContingencyTable
    score: Score
    subvolumes: Mapping[str, Score]
    left_out: int
    parts: PerSubvolume
    figures: Mapping[Figure, Value]
    names: TruthNames


def read_evaluation(run: RunContext[DvidServices]) -> Evaluation:
    """The result of the phase, from its manifest."""
    folder, wanted = run.folder(NAME), measured_on(run)
    unassigned, markers = wanted.unassigned, folder.manifest()
    names = _names_of(run, markers)
    tables = dict(_measured_tables(run, markers, names))
    whole = large_bodies(merged(tables.values()), wanted.min_body_vox)
    tables = {item: only_bodies(table, whole.groundtruth) for item, table in tables.items()}
    parts = PerSubvolume.of(tables)
    scored = {item: score(table, unassigned) for item, table in tables.items() if len(table)}
    left_out = sum(int(marker.statistics[LEFT_OUT]) for marker in markers)
    figures = _kept_figures(run, folder)
    return Evaluation(parts.whole, parts.score(unassigned), scored, left_out, parts, figures, names)


def _kept_figures(run: RunContext[DvidServices], folder: PhaseFolder) -> dict[Figure, Value]:
    marker = folder.phase_marker()
    results = {} if marker is None else marker.results
    return {figure: results[name] for name, figure in optional_figures_of(run.spec).items()}
