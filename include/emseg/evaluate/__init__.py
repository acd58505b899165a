"""Measuring a segmentation against ground truth: contingency tables, and every score computed from them."""

from emseg.evaluate.bodies import BodyScores, per_body, per_segment
from emseg.evaluate.contingency import ContingencyTable, contingency_table, merged
from emseg.evaluate.edit_distance import EditDistance, edit_distances
from emseg.evaluate.metrics import Gated, Score, gated_metrics, score

__all__ = [
    "BodyScores",
    "ContingencyTable",
    "EditDistance",
    "Gated",
    "Score",
    "contingency_table",
    "edit_distances",
    "gated_metrics",
    "merged",
    "per_body",
    "per_segment",
    "score",
]
