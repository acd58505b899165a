"""Measuring a segmentation against ground truth: contingency tables, and every score computed from them."""

from emseg.evaluate.bodies import BodyScores, per_body, per_segment
from emseg.evaluate.changes import BodyChange, broken_and_merged
from emseg.evaluate.contingency import ContingencyTable, contingency_table, merged
from emseg.evaluate.metrics import Gated, Score, gated_metrics, score
from emseg.evaluate.per_subvolume import PerSubvolume
from emseg.evaluate.resampling import FEWEST_SUBVOLUMES, interval, resampled_scores, resamples

__all__ = [
    "FEWEST_SUBVOLUMES",
    "BodyChange",
    "BodyScores",
    "ContingencyTable",
    "Gated",
    "PerSubvolume",
    "Score",
    "broken_and_merged",
    "contingency_table",
    "gated_metrics",
    "interval",
    "merged",
    "per_body",
    "per_segment",
    "resampled_scores",
    "resamples",
    "score",
]
