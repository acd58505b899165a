"""Figures that a dataset need not have: edit distance, and scores at synapses and on skeletons.

Example: with ground truth alone `merges_75` is told, the merges of the least work until 75 % of the voxels are right.
A dataset file that names synapses has `connectivity_recall` and others too. Each has a limit only if the dataset file
gives one: `gate.figures: {connectivity_recall: {limit: 0.9}}`.

A new figure is a row of `OPTIONAL_FIGURES`. Limits, verdict, history, report and release record follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from emseg.config.groundtruth import SynapseCounting, Unassigned
from emseg.evaluate.connections import ConnectionTable
from emseg.evaluate.connectivity import ConnectivityScore, connectivity
from emseg.evaluate.contingency import ContingencyTable
from emseg.evaluate.edit_distance import SHARES, EditDistance, edit_distances
from emseg.evaluate.figure import Figure, Value
from emseg.evaluate.metrics import Score, score
from emseg.evaluate.orphans import orphan_segments

Source = Literal["voxels", "synapses", "skeletons"]
"""What a figure is computed from: `AtVoxels`, `AtSynapses` or a `SkeletonScore`."""


@dataclass(frozen=True, eq=False)
class AtVoxels:
    """All voxels that count, by their labels."""

    table: ContingencyTable

    @cached_property
    def edits(self) -> Mapping[float, EditDistance]:
        """Edit distance, by share."""
        return {each.share: each for each in edit_distances(self.table)}


@dataclass(frozen=True, eq=False)
class AtSynapses(AtVoxels):
    """All points at synapses that count, by their labels as voxels are, and the connections between them."""

    connections: ConnectionTable
    counting: SynapseCounting
    unassigned: Unassigned

    @cached_property
    def score(self) -> Score:
        """VI and its like, over points in place of voxels."""
        return score(self.table, self.unassigned)

    @cached_property
    def connectivity(self) -> ConnectivityScore:
        """What became of the connections."""
        return connectivity(self.table, self.connections, self.counting.pair_connections)

    @property
    def orphans(self) -> int:
        """Segments with points, but too few."""
        return orphan_segments(self.table, self.counting.orphan_points).orphans


@dataclass(frozen=True)
class OptionalFigure(Figure):
    """A figure, and how it is computed of its source."""

    of: Source
    compute: Callable[[Any], Value]


def figures_of(measured: Mapping[Source, Any]) -> dict[str, Value]:
    """All of `OPTIONAL_FIGURES` whose source was measured."""
    return {name: each.compute(measured[each.of]) for name, each in optional_figures(measured).items()}


def optional_figures(sources: Collection[Source]) -> dict[str, OptionalFigure]:
    """Those of some sources."""
    return {name: each for name, each in OPTIONAL_FIGURES.items() if each.of in sources}


def _edit_figures(of: Source, prefix: str, what: str) -> Iterator[OptionalFigure]:
    for share in SHARES:
        for kind in ("merges", "splits"):
            percent = f"{100 * share:.0f}"
            title = f"{kind.capitalize()} until {percent} % of the {what} are right"
            yield OptionalFigure(f"{prefix}{kind}_{percent}", title, "", 1, of, _edits(share, kind))


def _edits(share: float, kind: str) -> Callable[[AtVoxels], Value]:
    def count(source: AtVoxels) -> Value:
        found = source.edits[share]
        if not found.is_reached:
            return f"all edits together make {100 * found.right_share:.4g} % right: the rest is unassigned"
        return float(getattr(found, kind))

    return count


_ROWS = (
    *_edit_figures("voxels", "", "voxels"),
    OptionalFigure(
        "synapse_vi_split", "VI split over points at synapses", "bits", 1, "synapses", lambda s: s.score.vi_split
    ),
    OptionalFigure(
        "synapse_vi_merge", "VI merge over points at synapses", "bits", 1, "synapses", lambda s: s.score.vi_merge
    ),
    OptionalFigure(
        "connectivity_precision",
        "Connected pairs of segments that are right, share",
        "",
        -1,
        "synapses",
        lambda s: s.connectivity.precision,
    ),
    OptionalFigure(
        "connectivity_recall",
        "Connected pairs of bodies that are found, share",
        "",
        -1,
        "synapses",
        lambda s: s.connectivity.recall,
    ),
    OptionalFigure("autapses", "Autapses", "", 1, "synapses", lambda s: float(s.connectivity.autapses)),
    OptionalFigure(
        "false_autapses", "False autapses", "", 1, "synapses", lambda s: float(s.connectivity.false_autapses)
    ),
    OptionalFigure(
        "synapse_orphans", "Segments with too few points at synapses", "", 1, "synapses", lambda s: float(s.orphans)
    ),
    *_edit_figures("synapses", "synapse_", "points at synapses"),
    OptionalFigure("erl_nm", "Expected run length", "nm", -1, "skeletons", lambda s: s.erl_nm),
    OptionalFigure(
        "erl_share", "Expected run length, share of the best", "", -1, "skeletons", lambda s: s.erl_nm / s.best_erl_nm
    ),
    OptionalFigure("skeleton_splits", "Splits of skeletons", "", 1, "skeletons", lambda s: float(s.splits)),
    OptionalFigure("skeleton_mergers", "Mergers of skeletons", "", 1, "skeletons", lambda s: float(s.mergers)),
)
OPTIONAL_FIGURES: Mapping[str, OptionalFigure] = {each.name: each for each in _ROWS}
"""By name, in the order in which people read them."""
