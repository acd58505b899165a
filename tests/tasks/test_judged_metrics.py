"""The history of figures that packages measure: only numbers of one version of a metric are compared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.evaluate.test_plugin import FIGURE
from tests.memory_store import MemoryStore
from tests.running import a_spec

from emseg.config.gate import FigurePolicy, GatePolicy, HistoryPolicy
from emseg.config.groundtruth import Unassigned
from emseg.config.runspec import PinnedFigure, PinnedMetric, PinnedSynapses, digest_of
from emseg.evaluate import SURVEY_FIGURES, Figure, PerSubvolume, contingency_table, score
from emseg.geometry import Box
from emseg.phases.run_context import RunContext
from emseg.quality import History, Measured, ShownFigure, Verdict
from emseg.tasks.judged import entry_of, groundtruth_identity, with_history

MERGES = Figure("merges_90", "Merges", "", 1)
PARTS = PerSubvolume.of({"sv-0": contingency_table(np.array([1, 2]), np.array([1, 1]))})
GATE = GatePolicy(
    figures={name: FigurePolicy(regression=1) for name in ("own_figure", "merges_90")}, history=HistoryPolicy(last=3)
)


def run_of(number: int, version: int) -> RunContext[Any]:
    figure = PinnedFigure(name=FIGURE.name, title=FIGURE.title, unit=FIGURE.unit, worse=1)
    metric = PinnedMetric(name="own", version=version, package="own==1", figures=(figure,))
    spec = a_spec(Box.of_shape((64, 64, 64)), run=f"r{number}", gate=GATE, metrics=(metric,))
    services = SimpleNamespace(store=MemoryStore())
    return RunContext(spec, "look", lambda: services, known={"write": f"{number}" * 32})


def measured(own: float) -> Measured:
    values = {FIGURE: own, MERGES: own}
    return Measured.of(score(PARTS.whole), PARTS, "ab", Unassigned.SEGMENT, values)


def kept(number: int, version: int, value: float):
    figures = {"own_figure": value, "merges_90": value, **dict.fromkeys(SURVEY_FIGURES, 0.0)}
    shown = tuple(
        ShownFigure(name=n, title=n, unit="", value=value, limit=None, direction="max")
        for n in ("own_figure", "merges_90")
    )
    verdict = Verdict(
        passed=True,
        fingerprint="f" * 32,
        dataset="brain",
        run=f"r{number}",
        reasons=(),
        rows=(),
        figures=figures,
        shown=shown,
    )
    return entry_of(run_of(number, version), measured(value), verdict)


def test_the_identity_of_ground_truth_names_what_the_dataset_names():
    """Kills a history that ends when emseg learns to read skeletons, and one that goes on over other synapses."""
    spec = run_of(0, 1).spec
    named = ("node", "instance", "unassigned", "ignore_boundary_nm", "bodies", "min_body_vox", "scale", "excluded")
    known = spec.groundtruth.model_dump(mode="json")
    assert groundtruth_identity(spec) == digest_of({name: known[name] for name in named})
    pinned = [PinnedSynapses(node="ab", instance="synapses", orphan_points=points) for points in (10, 11)]
    truths = [spec.groundtruth.model_copy(update={"synapses": each}) for each in (None, *pinned)]
    found = {groundtruth_identity(spec.model_copy(update={"groundtruth": each})) for each in truths}
    assert len(found) == 3


def test_a_metric_of_another_version_begins_anew_and_all_other_figures_go_on():
    """Kills a limit that compares numbers of two definitions, and a history that a plugin empties."""
    history = History(tuple(kept(number, version=1, value=2.0) for number in range(3)))
    for version, expected in ((1, {"trend_own_figure": 5.0, "trend_merges_90": 5.0}), (2, {"trend_merges_90": 5.0})):
        compared = with_history(run_of(7, version), measured(7.0), history)
        rows = {row.metric: row.value for each in compared for row in each.rows if "vi" not in row.metric}
        assert {name: rows[name] for name in rows if name in ("trend_own_figure", "trend_merges_90")} == expected
    assert history.entries[0].value("version_own") == 1
