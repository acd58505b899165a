"""`emseg history`: every judged run in lines and a picture, also beside one that is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from matplotlib.image import imread
from tests.quality.test_history import entry
from tests.refusals import refused
from typer.testing import CliRunner

from emseg.cli import history
from emseg.errors import IntegrityError, PermanentError
from emseg.quality import Measurement, keep
from emseg.quality.history import history_key
from emseg.store import FolderStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    monkeypatch.setattr(history, "connected", lambda: SimpleNamespace(store=store))
    for each in (entry(0), entry(1, vi=1.4, verdict_passed=False), entry(2, groundtruth="h")):
        keep(store, each)
    return store


def shown(*arguments: str) -> str:
    app = typer.Typer()
    history.add_to(app)
    app.callback()(lambda: None)  # with one command, Typer leaves its name out
    return CliRunner().invoke(app, ["history", *arguments], catch_exceptions=False).output


def test_each_judged_run_is_shown_with_its_figures_and_what_it_was_measured_on(store, monkeypatch):
    """Kills figures of two ground truths side by side without a word, and names that a narrow terminal cuts."""
    monkeypatch.setattr(history.console, "width", 40)
    lines = shown("brain").splitlines()
    runs, figures = lines[0:6:2], lines[1:6:2]
    assert [line.split()[0] for line in runs] == ["run-0", "run-1", "run-2"]
    assert "VI 1.400 [1.300, 1.500]" in figures[1]
    assert ["refused" in line for line in runs] == [False, True, False]
    assert [line.rpartition("  ")[2] for line in runs] == ["basis 1", "basis 1", "basis 2"]


def test_more_than_a_few_grounds_of_comparison_stay_apart(store):
    """Kills a mark that is used twice: figures that must not be compared would look comparable."""
    for number in range(40):
        keep(store, entry(number, run=f"many-{number}", groundtruth=f"g{number}"))
    marks = [line.rpartition("  ")[2] for line in shown("brain").splitlines() if "many-" in line]
    assert len(set(marks)) == 40


def test_a_run_without_ground_truth_is_told_by_what_was_counted_everywhere(store):
    """Kills a history of dashes."""
    counted = {"bodies": 31.0, "largest_body_share": 0.25}
    measured = tuple(Measurement(name, value, None, None, None, True) for name, value in counted.items())
    keep(store, replace(entry(3, run="run-3", groundtruth="none"), measurements=measured))
    assert "bodies 31, share of the largest body 0.250, seam excess -" in shown("brain")


def test_what_the_watch_measured_is_told_as_such(store):
    """Kills a release that is measured again and reads like a run that was refused."""
    keep(store, entry(3, run="watch-1", fingerprint="watch-1", verdict_passed=False))
    (line,) = [line for line in shown("brain").splitlines() if "watch-1" in line]
    assert "watched: worse" in line


def test_the_picture_is_written_and_shows_something(store, tmp_path):
    out = tmp_path / "trend.png"
    assert str(out) in shown("brain", "--plot", str(out)).replace("\n", "")
    assert imread(out).std() > 0.01


def test_a_damaged_object_is_named_and_the_others_are_shown(store, monkeypatch):
    key = history_key("brain", "run-1", f"{1:032x}")
    store.put(key, store.get(key)[:-1])
    printed: list[str] = []
    monkeypatch.setattr(history.console, "print", lambda text, **_: printed.append(text))
    with refused(IntegrityError, "run-1"):
        history.history("brain")
    assert [text.split()[0] for text in printed[:2]] == ["run-0", "run-2"]


def test_a_dataset_that_nobody_knows_is_refused(store):
    with refused(PermanentError, "nowhere"):
        history.history("nowhere")
    keep(store, replace(entry(0), judged=replace(entry(0).judged, dataset="demo")))
    assert "1.200" in shown("demo")
