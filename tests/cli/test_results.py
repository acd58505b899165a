"""`emseg runs`: every run of a dataset with what its folder says, also beside one that cannot be read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.refusals import refused
from typer.testing import CliRunner

from emseg.cli import results
from emseg.engine.report import StageReport
from emseg.errors import PermanentError
from emseg.phases import stages
from emseg.publish import ReleaseRecord
from emseg.publish.chain import serve
from emseg.quality import Verdict
from emseg.store import FolderStore
from emseg.tasks.run_folder import RunFolder, run_name
from emseg.tasks.run_list import RunSummary, runs_of

NIGHTLY = run_name("scheduled__2026-03-02T01:00:00+00:00")
MANUAL = run_name("manual__2026-03-01T12:30:05.123456+00:00")
CHOSEN = run_name("my run")
STAGES = [stage.name for stage in stages()]


def finished(folder: RunFolder, count: int) -> None:
    """Reports of the first `count` stages."""
    folder.write_file("spec.json", b"{}", "application/json")
    for stage in STAGES[:count]:
        folder.write(f"report-{stage}", StageReport(stage=stage, phases=()))


def judged(folder: RunFolder, *reasons: str) -> None:
    given = {"fingerprint": "f1", "dataset": folder.dataset, "run": folder.run, "figures": {}, "rows": ()}
    folder.write("verdict", Verdict(passed=not reasons, reasons=reasons, **given))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Three runs: one published, one that failed the gate, one that came through the first stage only."""
    store = FolderStore(tmp_path)
    nightly, manual, chosen = (RunFolder(store, "brain", run) for run in (NIGHTLY, MANUAL, CHOSEN))
    finished(nightly, len(STAGES))
    judged(nightly)
    uuid = "ab" * 16
    given = {"number": 4, "dataset": "brain", "root": uuid, "uuid": uuid, "branch": "b", "instance": "segmentation"}
    nightly.write("release", ReleaseRecord(fingerprint="f1", run=NIGHTLY, figures={}, supersedes=None, **given))
    finished(manual, len(STAGES))
    judged(manual, "too many splits")
    finished(chosen, 1)
    finished(RunFolder(store, "other", NIGHTLY), 1)
    RunFolder(store, "brain", "never-pinned").write_file("alerts/0123.json", b"{}", "application/json")
    return store


def test_runs_are_listed_by_time_with_stages_verdict_and_release(store):
    """Kills runs of another dataset in the list, the order of names, and a stage without a report taken for done."""
    assert runs_of(store, "brain") == (
        RunSummary(CHOSEN, "", (STAGES[0],), "none", None),
        RunSummary(MANUAL, "2026-03-01 12:30:05", tuple(STAGES), "failed", None),
        RunSummary(NIGHTLY, "2026-03-02 01:00:00", tuple(STAGES), "passed", 4),
    )


def test_a_run_that_this_code_cannot_read_hides_no_other(store):
    RunFolder(store, "brain", MANUAL).write_file("verdict.json", b'{"passed": "perhaps"}', "application/json")
    assert [run.verdict for run in runs_of(store, "brain")] == ["none", "unreadable", "passed"]


def test_the_command_prints_names_as_other_commands_take_them(store, monkeypatch):
    """Kills a name that is cut at the width of the terminal, and a line for each run that lacks its release."""
    monkeypatch.setattr(results, "connected", lambda: SimpleNamespace(store=store))
    done = CliRunner().invoke(_cli(), ["runs", "brain"], catch_exceptions=False)
    lines = [line.split() for line in done.output.splitlines()]
    assert [line[0] for line in lines] == [CHOSEN, MANUAL, NIGHTLY]
    assert [line[-1] for line in lines] == ["none", "none", "4"]


def test_a_dataset_without_runs_is_no_error_and_a_bad_name_is(store, monkeypatch):
    monkeypatch.setattr(results, "connected", lambda: SimpleNamespace(store=store))
    done = CliRunner().invoke(_cli(), ["runs", "demo"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "demo" in done.output
    for name in ("nobody", "../brain"):
        with refused(PermanentError, name):
            CliRunner().invoke(_cli(), ["runs", name], catch_exceptions=False)


@pytest.mark.parametrize(("served", "told"), [(4, "release 4 serves node"), (5, "rollback brain 4 --why")])
def test_a_result_that_does_not_come_back_is_not_said_to_be_served(store, monkeypatch, served, told):
    """Kills `release 4 serves` for the result that a rollback took back: release 5 is served."""
    release = RunFolder(store, "brain", NIGHTLY).read("release", ReleaseRecord)
    serve(store, release.model_copy(update={"number": served, "uuid": release.uuid if served == 4 else "cd" * 16}))
    monkeypatch.setattr(results, "connected", lambda: SimpleNamespace(store=store))
    monkeypatch.setattr(RunFolder, "context", lambda *_: None)
    monkeypatch.setattr(results, "decide", lambda *_: None)
    monkeypatch.setattr(results, "publish_run", lambda *_: release)
    done = CliRunner().invoke(_cli(), ["publish", "brain", NIGHTLY, "--why", "axons"], catch_exceptions=False)
    assert told in done.output


def test_a_run_that_nobody_knows_is_refused_by_its_name(store, monkeypatch):
    """Kills the advice to clear a task of a run that there never was."""
    monkeypatch.setattr(results, "connected", lambda: SimpleNamespace(store=store))
    with refused(PermanentError, "nightly", "emseg runs brain"):
        CliRunner().invoke(_cli(), ["publish", "brain", "nightly", "--why", "axons"], catch_exceptions=False)


def _cli():
    import typer

    cli = typer.Typer()
    results.add_to(cli)
    return cli
