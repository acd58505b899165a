"""What a dataset file asks of figures that it need not have is refused before a run where nothing would measure it."""

from __future__ import annotations

import pytest
from tests.evaluate.test_plugin import FIGURE, plugin
from tests.refusals import refused

from emseg.config import Dataset
from emseg.errors import PermanentError
from emseg.evaluate import OPTIONAL_FIGURES
from emseg.evaluate.figure import Figure
from emseg.evaluate.plugin_registry import KnownMetric
from emseg.phases.evaluate import figures as figures_module
from emseg.tasks.pinned_figures import check_figures, pinned_metrics


def dataset(groundtruth: object = None, **gate: object) -> Dataset:
    volume = {"node": "abcd", "groundtruth": groundtruth or {"instance": "groundtruth"}}
    return Dataset.model_validate({"name": "brain", "description": "d", "volume": volume, "gate": gate})


@pytest.fixture(autouse=True)
def two_metrics(monkeypatch):
    other = Figure("other_figure", "Other", "", 1)
    known = {
        "own": plugin(None, (FIGURE,)),
        "other": plugin(None, (other,)),
        "twin": plugin(None, (FIGURE,)),
        "thief": plugin(None, (Figure("merges_75", "Merges", "", 1),)),
    }
    monkeypatch.setattr(figures_module, "known_metric", lambda name: KnownMetric(known[name], "own==1.0"))


def test_metrics_are_pinned_with_all_that_people_are_shown():
    """Kills a gate that needs the package to tell a title."""
    own, other = pinned_metrics(dataset(metrics=["own", "other"]))
    assert (own.name, own.version, own.package) == ("own", 1, "own==1.0")
    assert [figure.title for figure in (*own.figures, *other.figures)] == ["Own figure", "Other"]


@pytest.mark.parametrize(
    ("metrics", "said"), [(["own", "twin"], "own_figure"), (["own", "own"], "own_figure"), (["thief"], "merges_75")]
)
def test_two_figures_of_one_name_are_refused(metrics, said):
    """Kills a figure that hides another one in the verdict."""
    with refused(PermanentError, "gate.metrics", "taken", said):
        pinned_metrics(dataset(metrics=metrics))


def test_metrics_without_ground_truth_are_refused():
    """Kills a metric that never runs and is never missed."""
    with refused(PermanentError, "gate.metrics", "no ground truth"):
        pinned_metrics(dataset("none", metrics=["own"]))


def test_a_limit_that_nothing_is_held_to_is_refused_with_the_figures_that_there_are():
    """Kills a misspelt limit that passes every result."""
    asked = dataset(figures={"erl_nm": {"limit": 3}, "merges_75": {"limit": 9}})
    with refused(PermanentError, "gate.figures", "erl_nm", "merges_75", "volume.groundtruth.synapses"):
        check_figures(asked, ["merges_75"])
    check_figures(asked, OPTIONAL_FIGURES)


@pytest.mark.parametrize(
    "gate",
    [{"figures": {"erl_nm": {"limit": -1}}}, {"figures": {"erl_nm": {"most": 1}}}, {"figures": {"Erl": {}}}],
)
def test_figures_are_checked_when_the_file_is_read(gate):
    with pytest.raises(ValueError, match="figures"):
        dataset(**gate)
