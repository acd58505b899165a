"""The quality gate: metric rows, a verdict with reasons, Data Docs, pictures and a one-page report."""

from emseg.quality.against_history import against_history, comparable
from emseg.quality.against_release import Measured, against_release
from emseg.quality.colours import body_colours
from emseg.quality.comparison import Comparison, ShownFigure
from emseg.quality.everywhere import everywhere, everywhere_against_history, everywhere_against_release
from emseg.quality.findings import Finding, Findings, ImageFinding, LargeBody, View, worst_findings
from emseg.quality.history import History, HistoryEntry, Judged, Measurement, history_form, keep, read_history
from emseg.quality.optional import optional, optional_against_history, optional_against_release
from emseg.quality.pictures import picture_slices, sizes_picture, slices_picture
from emseg.quality.report import QualityReport, report_page
from emseg.quality.rows import METRICS, MetricRow, metric_rows
from emseg.quality.verdict import Verdict, judge

__all__ = [
    "METRICS",
    "Comparison",
    "Finding",
    "Findings",
    "History",
    "HistoryEntry",
    "ImageFinding",
    "Judged",
    "LargeBody",
    "Measured",
    "Measurement",
    "MetricRow",
    "QualityReport",
    "ShownFigure",
    "Verdict",
    "View",
    "against_history",
    "against_release",
    "body_colours",
    "comparable",
    "everywhere",
    "everywhere_against_history",
    "everywhere_against_release",
    "history_form",
    "judge",
    "keep",
    "metric_rows",
    "optional",
    "optional_against_history",
    "optional_against_release",
    "picture_slices",
    "read_history",
    "report_page",
    "sizes_picture",
    "slices_picture",
    "worst_findings",
]
