"""`emseg history`: every judged run in a table and a picture, also beside one that is damaged."""

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

from emseg.cli import quality_history
from emseg.errors import IntegrityError, PermanentError
from emseg.quality import keep
from emseg.quality.history import history_key
from emseg.store import FolderStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    monkeypatch.setattr(quality_history, "connected", lambda: SimpleNamespace(store=store))
    for each in (entry(0), entry(1, vi=1.4, verdict_passed=False), entry(2, groundtruth="h")):
        keep(store, each)
    return store


def shown(*arguments: str) -> str:
    app = typer.Typer()
    quality_history.add_to(app)
    app.callback()(lambda: None)  # with one command, Typer leaves its name out
    return CliRunner().invoke(app, ["history", *arguments], catch_exceptions=False).output


def test_each_judged_run_is_a_line_with_its_figures_and_what_it_was_measured_on(store, monkeypatch):
    """Kills a table that has figures of two ground truths side by side without a word, and names that are cut off."""
    monkeypatch.setattr(quality_history.console, "width", 200)
    lines = [line for line in shown("brain").splitlines() if "run-" in line]
    assert [line.split("run-")[1][0] for line in lines] == ["0", "1", "2"]
    assert "1.400 [1.300, 1.500]" in lines[1]
    assert ["refused" in line for line in lines] == [False, True, False]
    assert [line.rstrip(" │").split()[-1] for line in lines] == ["A", "A", "B"]


def test_what_the_watch_measured_is_told_as_such(store, monkeypatch):
    """Kills a release that is measured again and reads like a run that was refused."""
    monkeypatch.setattr(quality_history.console, "width", 200)
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
    printed: list[object] = []
    monkeypatch.setattr(quality_history.console, "print", printed.append)
    with refused(IntegrityError, "run-1"):
        quality_history.history("brain")
    assert printed[0].row_count == 2


def test_a_dataset_that_nobody_knows_is_refused(store):
    with refused(PermanentError, "nowhere"):
        quality_history.history("nowhere")
    keep(store, replace(entry(0), judged=replace(entry(0).judged, dataset="demo")))
    assert "1.200" in shown("demo")
