"""The figures that a dataset need not have, of the whole: computed once, when all subvolumes are done.

They are kept in the phase marker, under their names. A text in place of a number says why there is none.
Memory of the driver: 65 bytes a row of the contingency table, 150 a row of the tables of points and connections, and
210 a node of the skeletons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from emseg.config import RunSpec
from emseg.config.runspec import PinnedFigure, PinnedGroundTruth, PinnedMetric, PinnedSynapses
from emseg.errors import PermanentError
from emseg.evaluate import (
    AtSynapses,
    AtVoxels,
    ConnectionTable,
    ContingencyTable,
    Figure,
    SkeletonNodes,
    Source,
    Value,
    figures_of,
    known_metric,
    measured_by,
    merged,
    merged_connections,
    only_bodies,
    optional_figures,
)
from emseg.phases.evaluate.artefacts import CONNECTIONS, POINTS, SKELETON_NODES
from emseg.phases.evaluate.instances import skeletons_of
from emseg.phases.labelmaps import measured_on
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import ItemMarker, PhaseFolder


def optional_figures_of(spec: RunSpec) -> dict[str, Figure]:
    """Those that a run has, by name."""
    truth = spec.groundtruth
    if truth is None:
        return {}
    sources: dict[Source, object] = {"voxels": truth, "synapses": truth.synapses, "skeletons": truth.skeletons}
    plugins = (Figure(f.name, f.title, f.unit, f.worse) for metric in spec.metrics for f in metric.figures)
    known: dict[str, Figure] = {**optional_figures([source for source, named in sources.items() if named is not None])}
    return {**known, **{figure.name: figure for figure in plugins}}


def pinned_metric(name: str) -> PinnedMetric:
    """The metric `name` as it is installed here; PermanentError where no allowed package has it."""
    known = known_metric(name)
    figures = tuple(PinnedFigure(**asdict(figure)) for figure in known.plugin.figures)
    return PinnedMetric(name=name, version=known.plugin.version, package=known.package, figures=figures)


@dataclass(frozen=True)
class WholeFigures:
    """Adds up the tables of points and nodes; `voxels` is the contingency table of all voxels that count."""

    run: RunContext[DvidServices]
    voxels: ContingencyTable

    def __call__(self, markers: Sequence[ItemMarker]) -> dict[str, Value]:
        """By name. PermanentError where no point, no connection or no edge of a skeleton counts."""
        wanted = measured_on(self.run)
        measured: dict[Source, object] = {"voxels": AtVoxels(self.voxels)}
        if wanted.synapses is not None:
            measured["synapses"] = self._synapses(wanted, wanted.synapses, markers)
        if wanted.skeletons is not None:
            nodes = SkeletonNodes.joined(SKELETON_NODES.read_as(SkeletonNodes, self._folder, markers))
            measured["skeletons"] = skeletons_of(self.run).score(nodes)
        return {**figures_of(measured), **self._plugins()}

    @property
    def _folder(self) -> PhaseFolder:
        return self.run.folder("evaluate")

    def _plugins(self) -> dict[str, Value]:
        """Numbers of the metrics of packages; PermanentError where this process has another version of one."""
        values: dict[str, Value] = {}
        for planned in self.run.spec.metrics:
            present = pinned_metric(planned.name)
            if present != planned:
                raise PermanentError(
                    "preparing the metrics of packages",
                    f"metric {planned.name}",
                    f"planned {planned.model_dump_json()}, but here is {present.model_dump_json()}",
                    "Install the same package for Airflow's workers and Spark's drivers, or start a new run",
                )
            values |= measured_by(known_metric(planned.name).plugin, self.voxels)
        return values

    def _synapses(
        self, wanted: PinnedGroundTruth, synapses: PinnedSynapses, markers: Sequence[ItemMarker]
    ) -> AtSynapses:
        bodies = np.unique(self.voxels.groundtruth)
        points = only_bodies(merged(POINTS.read_as(ContingencyTable, self._folder, markers)), bodies)
        connections = merged_connections(CONNECTIONS.read_as(ConnectionTable, self._folder, markers))
        known = np.isin(connections.pre_body, bodies) & np.isin(connections.post_body, bodies)
        if len(points) == 0:
            raise PermanentError(
                "scoring synapses",
                f"volume.groundtruth.synapses = {synapses.instance}, node {synapses.node}",
                "no point lies in a body of the ground truth that counts",
                "Name an instance whose synapses lie in the evaluated region, or leave synapses out",
            )
        return AtSynapses(points, connections.rows(known), synapses, wanted.unassigned)
