"""Metrics and the limits of the gate agree, and a metric that is added in two files is measured, judged and shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.library_copy import insert, library_copy, told_by

from emseg.config.gate import GatePolicy, Regression
from emseg.evaluate import PerSubvolume, contingency_table
from emseg.quality.comparison import FIGURES
from emseg.quality.rows import METRICS

METRIC = """    segments_per_body: float = metric(
        lambda c: len(c.assigned) / len(c.sizes.body_ids), Gated("Segments a body", "", "segments_per_body_max")
    )
"""
LIMIT = '    segments_per_body_max: float = Field(default=3.0, ge=0, description="Segments above 0 for each body")\n'
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from emseg.config import Dataset
from emseg.config.gate import GatePolicy
from emseg.evaluate import contingency_table, score
from emseg.quality import QualityReport, judge, metric_rows, report_page
from emseg.quality.report.figures import ReportFigures
segmentation, truth = np.arange(1, 9).reshape(2, 2, 2), np.ones((2, 2, 2), int)
policy = GatePolicy(vi_split_max=9, are_max=1, subvolume_vi_max=9)
measured = score(contingency_table(segmentation, truth))
rows = metric_rows("demo", measured, {}, policy)
verdict = judge(rows, policy, Path(sys.argv[1]), dataset="demo", run="run-1", fingerprint="3f" * 32)
figures = ReportFigures().figures(verdict.rows, None, None)
given = {"dataset": "demo", "run": "run-1", "fingerprint": "3f", "time": "2030-01-01T00:00:00Z", "passed": False}
page = report_page(QualityReport(**given, figures=figures)).decode()
print(json.dumps({
    "default": Dataset.model_json_schema()["$defs"]["GatePolicy"]["properties"]["segments_per_body_max"]["default"],
    "figure": verdict.figures["segments_per_body"],
    "reasons": verdict.reasons,
    "shown": "Segments a body" in page,
    "docs": "segments_per_body" in Path(sys.argv[1], "suite.html").read_text(),
}))
"""


def test_each_limit_of_the_gate_holds_one_metric_and_each_metric_has_one_limit():
    """Kills a limit that nothing is held to, and a metric whose limit no dataset file can set."""
    assert sorted(metric.limit_name for metric in METRICS) == sorted(GatePolicy().limits)
    assert {metric.limit_name[-4:] for metric in METRICS} == {"_max", "_min"}


def test_each_allowed_worsening_is_of_a_figure_that_has_a_limit():
    """Kills a field of the policy that no row is made of, and an error counted as better where it is higher."""
    assert Regression.model_fields.keys() == FIGURES.keys()
    table = contingency_table(np.array([1, 2]), np.array([1, 1]))
    assert {figure.name for figure in FIGURES.values()} <= PerSubvolume.of({"sv-0": table}).influences().keys()
    worse = {name: figure.worsening(0.75, 0.5) for name, figure in FIGURES.items()}
    assert worse.pop("assigned_share") == -0.25
    assert set(worse.values()) == {0.25}


def test_a_metric_is_added_in_two_files(tmp_path: Path):
    """Kills a second list of the metrics: rows, suite, verdict, report and schema must follow from the two lines."""
    copy = library_copy(tmp_path)
    insert(copy / "evaluate" / "metrics.py", before="    best_overlap_share: float", text=METRIC)
    insert(copy / "config" / "gate.py", before="    subvolume_vi_max", text=LIMIT)
    told = told_by(copy, SCRIPT, str(tmp_path / "docs"))
    assert told["default"] == 3.0
    assert told["figure"] == 8.0
    assert told["reasons"] == ["Segments a body of the volume is 8; the gate asks for at most 3"]
    assert told["shown"]
    assert told["docs"]
