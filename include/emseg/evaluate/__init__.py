"""Measuring a segmentation against ground truth: contingency tables, and every score computed from them."""

from emseg.evaluate.bodies import BodyScores, per_body, per_segment
from emseg.evaluate.contingency import ContingencyTable, contingency_table, merged
from emseg.evaluate.metrics import Score, score

__all__ = [
    "BodyScores",
    "ContingencyTable",
    "Score",
    "contingency_table",
    "merged",
    "per_body",
    "per_segment",
    "score",
]
