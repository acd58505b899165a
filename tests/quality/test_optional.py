"""Rows of figures that a dataset need not have: limits, the served release and the history, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.quality.test_everywhere import entry

from emseg.config.gate import FigurePolicy, GatePolicy, HistoryPolicy
from emseg.evaluate import Figure, PerSubvolume, contingency_table, score
from emseg.quality import (
    Measured,
    judge,
    optional,
    optional_against_history,
    optional_against_release,
)
from emseg.quality.report.figures import ReportFigures

ERL = Figure("erl_nm", "Expected run length", "nm", -1)
ORPHANS = Figure("synapse_orphans", "Orphans", "", 1)
MERGES = Figure("merges_90", "Merges", "", 1)
OWN = {ERL: 4200.0, ORPHANS: 7.0, MERGES: "no way"}


def gate_of(last: int = 3, mads: float | None = 3, **figures: FigurePolicy) -> GatePolicy:
    return GatePolicy(figures=figures, history=HistoryPolicy(last=last, mads=mads))


def judged(gate: GatePolicy, folder: Path, *compared, rows=()):
    return judge(rows, gate, folder, dataset="brain", run="r", fingerprint="f" * 32, compared=compared)


def test_limits_reasons_report_and_documents(tmp_path: Path, good_rows, policy):
    """Kills a limit that is the most where it must be the least, and a figure that only the verdict knows."""
    figures = {"erl_nm": FigurePolicy(limit=5000), "synapse_orphans": FigurePolicy(limit=7, regression=1)}
    gate = policy.model_copy(update={"figures": figures})
    worse = optional_against_release(OWN, {ERL: 9e9, ORPHANS: 5.0}, 3, gate)
    verdict = judged(gate, tmp_path, optional(OWN, gate, "brain"), worse, rows=good_rows)
    assert verdict.reasons == (
        "Expected run length of the volume is 4200 nm; the gate asks for at least 5000 nm",
        "Orphans is 2 worse than that of release 3 (7, there 5); the gate allows 1",
    )
    assert verdict.notes == ("Not measured: Merges (no way)",)
    assert (verdict.figures["erl_nm"], verdict.figures["synapse_orphans"]) == (4200, 7)
    assert [(each.name, each.value, each.limit, each.why_none) for each in verdict.shown] == [
        ("erl_nm", 4200.0, 5000, ""),
        ("synapse_orphans", 7.0, 7, ""),
        ("merges_90", None, None, "no way"),
    ]
    assert "erl_nm" in (tmp_path / "suite.html").read_text()


def test_the_report_has_all_of_them_beside_the_release():
    """Kills names in place of titles, a figure without a limit that is left out, and worse for better."""
    gate = gate_of(erl_nm=FigurePolicy(limit=5000, regression=9))
    release = {ERL: 4000.0, ORPHANS: 5.0, MERGES: 3.0}
    compared = [optional(OWN, gate, "brain"), optional_against_release(OWN, release, 3, gate)]
    parts = PerSubvolume.of({"sv-0": contingency_table(np.array([1, 2]), np.array([1, 1]))})
    own, served = (Measured(score(parts.whole), parts, {}, figures) for figures in (OWN, release))
    figures = ReportFigures(compared).figures([row for each in compared for row in each.rows], own, served)
    told = {each.title: (each.value, each.served, each.worsening, each.limit) for each in figures}
    assert told == {
        "VI split + merge": (1.0, 1.0, 0.0, None),
        "Expected run length": (4200.0, 4000.0, -200.0, 5000),
        "Worsening of Expected run length": (-200.0, None, None, 9),
        "Orphans": (7.0, 5.0, 2.0, None),
        "Merges": (None, 3.0, None, None),
    }


def test_a_figure_with_a_limit_that_was_not_measured_fails_and_says_why(tmp_path: Path, good_rows, policy):
    """Kills a silent pass: no edit reaches the share, so its limit cannot be kept."""
    gate = policy.model_copy(update={"figures": {"merges_90": FigurePolicy(limit=10, regression=5)}})
    compared = optional_against_release(OWN, {MERGES: 3.0}, 3, gate)
    verdict = judged(gate, tmp_path, optional(OWN, gate, "brain"), compared, rows=good_rows)
    assert verdict.reasons == (
        "Merges of the volume was not measured (no way); the gate asks for at most 10",
        "Worsening of Merges of release 3 was not measured (no way); the gate asks for at most 5",
    )


def test_a_release_of_which_a_figure_was_not_measured_is_not_compared_and_that_is_told():
    found = optional_against_release(
        {MERGES: 3.0}, {MERGES: "no way"}, 3, gate_of(merges_90=FigurePolicy(regression=5))
    )
    assert found.rows == ()
    assert found.notes == ("Merges was not compared with release 3, of which it was not measured",)


def test_less_of_what_is_good_is_worse_than_the_median():
    """Kills the sign of figures where more is better, and results that lack the figure among the last ones."""
    lengths = [None, 4900.0, 5000.0, 5050.0]
    entries = [entry(i, "here", "gt", **({} if erl is None else {"erl_nm": erl})) for i, erl in enumerate(lengths)]
    found = optional_against_history(OWN, entries, gate_of(erl_nm=FigurePolicy(regression=100)))
    (row,) = found.rows
    assert (row.metric, row.value) == ("trend_erl_nm", 800)  # median 5000
    assert row.limit == pytest.approx(3 * 1.4826 * 50)
    assert not row.keeps_limit
    assert optional_against_history(OWN, entries[:3], gate_of(erl_nm=FigurePolicy(regression=100))).rows == ()
    assert optional_against_history(OWN, entries, gate_of(erl_nm=FigurePolicy(limit=100))).rows == ()
    assert optional_against_history(OWN, entries, gate_of(mads=None, erl_nm=FigurePolicy(regression=1))).rows == ()
