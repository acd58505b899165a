"""Measuring a segmentation against ground truth: tables that add up over regions, and the scores from them."""

from emseg.evaluate.bodies import BodyScores, per_body, per_segment
from emseg.evaluate.boundary_band import band_margin, near_boundary
from emseg.evaluate.changes import BodyChange, broken_and_merged
from emseg.evaluate.component_parts import ComponentParts, parts_of, with_plane_before
from emseg.evaluate.components import Components
from emseg.evaluate.connections import ConnectionTable, connection_table, merged_connections
from emseg.evaluate.connectivity import ConnectivityScore, connectivity, standing_for
from emseg.evaluate.contingency import ContingencyTable, contingency_table, large_bodies, merged, only_bodies
from emseg.evaluate.edit_distance import EditDistance, edit_distances
from emseg.evaluate.figure import Figure, Value
from emseg.evaluate.marginals import Marginals
from emseg.evaluate.metrics import Gated, Score, gated_metrics, score
from emseg.evaluate.optional import (
    OPTIONAL_FIGURES,
    AtSynapses,
    AtVoxels,
    OptionalFigure,
    Source,
    figures_of,
    optional_figures,
)
from emseg.evaluate.orphans import ORPHAN_POINTS, Orphans, orphan_bodies, orphan_segments
from emseg.evaluate.per_subvolume import PerSubvolume
from emseg.evaluate.plugin import MetricPlugin, measured_by
from emseg.evaluate.plugin_registry import known_metric
from emseg.evaluate.resampling import FEWEST_SUBVOLUMES, interval, resampled_moves
from emseg.evaluate.skeleton_nodes import SkeletonNodes, SkeletonSet
from emseg.evaluate.skeletons import SkeletonScore, score_skeletons
from emseg.evaluate.survey import SURVEY_FIGURES, Survey, SurveyFigure
from emseg.evaluate.truth_names import BODIES, TruthComponents, TruthNames, beginning, told

__all__ = [
    "BODIES",
    "FEWEST_SUBVOLUMES",
    "OPTIONAL_FIGURES",
    "ORPHAN_POINTS",
    "SURVEY_FIGURES",
    "AtSynapses",
    "AtVoxels",
    "BodyChange",
    "BodyScores",
    "ComponentParts",
    "Components",
    "ConnectionTable",
    "ConnectivityScore",
    "ContingencyTable",
    "EditDistance",
    "Figure",
    "Gated",
    "Marginals",
    "MetricPlugin",
    "OptionalFigure",
    "Orphans",
    "PerSubvolume",
    "Score",
    "SkeletonNodes",
    "SkeletonScore",
    "SkeletonSet",
    "Source",
    "Survey",
    "SurveyFigure",
    "TruthComponents",
    "TruthNames",
    "Value",
    "band_margin",
    "beginning",
    "broken_and_merged",
    "connection_table",
    "connectivity",
    "contingency_table",
    "edit_distances",
    "figures_of",
    "gated_metrics",
    "interval",
    "known_metric",
    "large_bodies",
    "measured_by",
    "merged",
    "merged_connections",
    "near_boundary",
    "only_bodies",
    "optional_figures",
    "orphan_bodies",
    "orphan_segments",
    "parts_of",
    "per_body",
    "per_segment",
    "resampled_moves",
    "score",
    "score_skeletons",
    "standing_for",
    "told",
    "with_plane_before",
]
