"""Metrics of packages: what they may give, what becomes of those that misbehave, and which packages are let in."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from tests.refusals import refused

from emseg.authoring.metric_conformance import check_metric, metric_problems
from emseg.errors import PermanentError
from emseg.evaluate import (
    ContingencyTable,
    Figure,
    Marginals,
    MetricPlugin,
    contingency_table,
    known_metric,
    measured_by,
    plugin_registry,
)

PACKAGE = "emseg-gradient-boundary"
TABLE = contingency_table(np.array([5] * 60 + [6] * 40 + [7] * 100), np.array([1] * 100 + [2] * 100))
FIGURE = Figure("own_figure", "Own figure", "bits", 1)


def plugin(measure, figures=(FIGURE,), name="own", version=1) -> type[MetricPlugin]:
    return type("Own", (MetricPlugin,), {"name": name, "version": version, "figures": figures, "measure": measure})


def gives(value) -> type[MetricPlugin]:
    return plugin(lambda *_: {"own_figure": value})


class allowed:  # noqa: N801 - used like a function
    """A folder of packages on the path, and one of them on the allow-list of metrics."""

    def __init__(self, site, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv(plugin_registry.ALLOWED, package)

    def __enter__(self) -> None:
        importlib.invalidate_caches()
        plugin_registry._plugins.cache_clear()

    def __exit__(self, *_: object) -> None:
        plugin_registry._plugins.cache_clear()


def test_the_installed_example_measures_and_says_its_package(example_package, monkeypatch):
    """Worked by hand: body 1 lies in 1 / (0.6^2 + 0.4^2) pieces, body 2 in one. Kills marginals of other rows."""
    with allowed(example_package, "Emseg_Gradient.Boundary", monkeypatch):
        known = known_metric("fragments")
        assert known.package == f"{PACKAGE}==1.2.0"
        assert measured_by(known.plugin, TABLE) == {
            "fragments_mean": pytest.approx((1 / 0.52 + 1) / 2),
            "whole_bodies": 0.5,
        }


def test_a_package_that_is_not_allowed_is_not_imported_and_the_message_says_what_to_allow(example_package, monkeypatch):
    """Kills an installed package that enters runs by itself; an allowed package of steps is none of metrics."""
    sys.modules.pop("emseg_fragments", None)
    monkeypatch.setenv("EMSEG_STEP_PACKAGES", PACKAGE)
    values = ("fragments", plugin_registry.ALLOWED, "something-else", PACKAGE)
    with allowed(example_package, "something-else", monkeypatch), refused(PermanentError, *values):
        known_metric("fragments")
    assert "emseg_fragments" not in sys.modules


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("raise ImportError('no such driver')", ("ImportError: no such driver",)),
        ("import sys\nsys.exit('no licence')", ("SystemExit: no licence",)),
        ("Own = int", ("emseg.evaluate.plugin",)),
        ("from emseg.evaluate import MetricPlugin as Own", ("not a complete metric class",)),
        (
            "from emseg.evaluate import MetricPlugin\nclass Own(MetricPlugin):\n name='own'\n version=1\n"
            " figures=()\n def measure(self, table, sizes): return {}",
            ("its figures",),
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_named_with_the_reason(tmp_path, monkeypatch, text, values):
    """Kills a traceback of somebody else's package."""
    info = tmp_path / "bad-0.1.dist-info"
    info.mkdir()
    (tmp_path / "bad_metrics.py").write_text(text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[emseg.metrics]\nmine = bad_metrics:Own\n")
    monkeypatch.delitem(sys.modules, "bad_metrics", raising=False)
    with allowed(tmp_path, "bad", monkeypatch), refused(PermanentError, "bad==0.1", "entry point mine", *values):
        known_metric("own")
    sys.modules.pop("bad_metrics", None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "gave nan"),
        (float("inf"), "gave inf"),
        (-0.5, "gave -0.5"),
        ("0.5", "gave '0.5'"),
        (True, "gave True"),
        (None, "gave nothing"),
    ],
)
def test_what_cannot_be_judged_is_a_reason_and_no_number(value, said):
    """Kills nan that passes as below every limit, and text that is taken for a number."""
    found = measured_by(gives(value), TABLE)["own_figure"]
    assert isinstance(found, str)
    assert said in found
    assert "metric own" in found


def raising(error: BaseException):
    def measure(*_):
        raise error

    return measure


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (raising(ZeroDivisionError("of no bodies")), "raised ZeroDivisionError: of no bodies"),
        (raising(SystemExit("no licence")), "raised SystemExit: no licence"),
        (raising(OSError("no weights")), "raised OSError: no weights"),
        (lambda *_: {"own_figure": 1.0, "other": 2.0}, "gave other, which it does not declare"),
        (lambda *_: {}, "gave nothing for own_figure"),
        (lambda *_: [1.0], "gave list"),
    ],
)
def test_a_metric_that_misbehaves_has_reasons_in_place_of_numbers(measure, said):
    """Kills an evaluation of hours that a plugin ends."""
    assert said in str(measured_by(plugin(measure), TABLE)["own_figure"])


def test_want_of_memory_is_no_fault_of_the_metric():
    """Kills a reason that is kept under the key although a larger machine measures it."""
    with pytest.raises(MemoryError):
        measured_by(plugin(raising(MemoryError())), TABLE)


def test_a_metric_cannot_change_the_table():
    """Kills a plugin that spoils the figures after its own."""

    def spoil(_, table: ContingencyTable, sizes: Marginals):
        sizes.body_voxels.sort()
        table.count[:] = 1

    before = TABLE.count.copy()
    assert "read-only" in str(measured_by(plugin(spoil), TABLE)["own_figure"])
    assert np.array_equal(TABLE.count, before)
    assert TABLE.count.flags.writeable


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (plugin(lambda *_: {}, name="Über"), "its name"),
        (plugin(lambda *_: {}, version=0), "its version"),
        (plugin(lambda *_: {}, figures=("own_figure",)), "its figures"),
        (plugin(lambda *_: {}, figures=(Figure("own-figure", "t", "", 1),)), "own-figure"),
        (plugin(lambda *_: {}, figures=(Figure("change_vi", "t", "", 1),)), "change_"),
        (plugin(lambda *_: {}, figures=(Figure("version_own", "t", "", 1),)), "version_"),
        (plugin(lambda *_: {}, figures=(Figure("own", " ", "", 1),)), "title"),
        (plugin(lambda *_: {}, figures=(Figure("own", "t", "", 0),)), "worse"),
        (plugin(lambda *_: {}, figures=(FIGURE, FIGURE)), "one name"),
        (plugin(lambda _, table, __: {"own_figure": 1 / int(table.segmentation.max())}), "nothing assigned"),
        (plugin(lambda _, table, __: {"own_figure": np.bincount(table.groundtruth)[0]}), "ids up to 2^64 - 1"),
        (plugin(lambda *_: {"own_figure": np.random.default_rng().random()}), "two runs"),
    ],
)
def test_each_broken_promise_is_found(own, said):
    """Kills a check that an author passes and a deployment does not."""
    assert any(said in problem for problem in metric_problems(own)), metric_problems(own)
    with refused(PermanentError, said):
        check_metric(own)


def test_an_honest_metric_conforms():
    check_metric(plugin(lambda _, table, __: {"own_figure": float(table.count.max())}))
