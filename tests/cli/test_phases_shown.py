"""What people are shown of a run comes from the declarations of its phases: plan, summary, progress, given-up items."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tests.running import a_spec

import emseg.phases
from emseg.cli import demo, runs
from emseg.cli.demo_summary import show_outcome
from emseg.config import RunSpec
from emseg.engine.report import PhaseSummary, StageReport
from emseg.geometry import Box
from emseg.phases import phases, phases_of, stages
from emseg.phases.declaration import Phase
from emseg.phases.run_context import RunContext
from emseg.phases.stages import Stage
from emseg.store import FolderStore
from emseg.tasks.jobs import StageResult
from emseg.tasks.plan import plan_run
from emseg.tasks.run_folder import RunFolder

PROOFREAD = Stage("proofread", "What a later release of emseg may do")


class Polish(Phase):
    name, stage, follows, shown_as = "polish", PROOFREAD, "write", "last touch"

    def reads(self, _: RunSpec) -> Mapping[str, object]:
        return {}

    def items(self, _: RunContext) -> tuple[str, ...]:
        return ("left", "middle", "right")

    def prepare(self, run: RunContext):
        raise NotImplementedError


@pytest.fixture(params=[False, True], ids=["phases of emseg", "with one more"])
def _phases(request, monkeypatch):
    """The phases as they are, and with one that the test adds."""
    if request.param:
        module = ModuleType("emseg.phases.polish")
        module.PHASE = Polish()
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(emseg.phases, "ORDER", (*emseg.phases.ORDER, "polish"))
    phases.cache_clear()
    yield
    phases.cache_clear()


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    """A run of 2 x 1 x 3 subvolumes of which nothing is done."""
    spec = a_spec(Box.of_shape((128, 64, 192)), max_failed_share=0.5)
    services = SimpleNamespace(store=FolderStore(tmp_path / "store"), roi=lambda _: None)
    return RunContext(spec, "try", lambda: services)


def report_of(stage: str, **given_up: dict[str, str]) -> StageReport:
    """A report in which each phase took a second and did two items."""
    done = [
        PhaseSummary(
            phase=phase.name,
            key="k",
            seconds=1.0,
            items_done=2,
            items_reused=0,
            items_given_up=len(given_up.get(phase.name, {})),
            content_digest="d",
        )
        for phase in phases_of(stage)
    ]
    return StageReport(stage=stage, phases=tuple(done), given_up=given_up)


@pytest.mark.usefixtures("_phases")
def test_the_plan_has_a_row_for_each_phase_in_order(context):
    """Kills a list of phases that is kept beside the declarations."""
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \|$", plan_run(context).markdown(), re.MULTILINE)
    expected = [(phase.name, str(len(phase.items(context)))) for phase in phases()]
    assert [row[:2] for row in rows] == expected
    assert all(row[2:] == ("0", row[1]) for row in rows)
    assert dict(expected)["segment"] == "6"


@pytest.mark.usefixtures("_phases")
def test_the_summary_of_a_demo_has_a_line_for_each_line_that_phases_declare(context, tmp_path, capsys):
    """Kills a summary that leaves out a new phase, or counts it with another line than the one it declares."""
    folder = RunFolder(context.open_services().store, "brain", "run-1")
    for stage in stages():
        folder.write(f"report-{stage.name}", report_of(stage.name))
    assert not show_outcome(context.open_services(), folder, tmp_path / "out")
    lines = json.loads((tmp_path / "out" / "summary.json").read_text())["stages"]
    assert list(lines) == list(dict.fromkeys(phase.line for phase in phases()))
    for line, figures in lines.items():
        of_line = [phase.name for phase in phases() if phase.line == line]
        assert list(figures["phases"]) == of_line
        assert figures["items_done"] == 2 * len(of_line)
    shown = capsys.readouterr().out
    assert all(re.search(rf"^ *{line} +\d", shown, re.MULTILINE) for line in lines)


@pytest.mark.usefixtures("_phases")
def test_the_demo_counts_the_items_of_the_stage_that_runs(context, capsys):
    """Kills progress for named stages only."""
    folder = RunFolder(context.open_services().store, "brain", "run-1")
    folder.write("spec", context.spec)
    folder.context = lambda *_: context
    for stage in stages():
        demo._show_items(context.open_services(), folder, {stage.name: "running"}, "")
        shown = capsys.readouterr().out
        counted = {p.name: len(p.items(context)) for p in phases_of(stage.name)}
        assert re.findall(r"(\w+) 0 of (\d+)", shown) == [(name, str(n)) for name, n in counted.items()]


@pytest.mark.usefixtures("_phases")
def test_a_run_goes_through_all_stages_and_keeps_the_report_of_each(context, monkeypatch):
    """Kills a command line whose stages are named in it."""
    ran = []

    def run_stage(stage, run, executor):
        ran.append((stage, run.attempt))
        return StageResult(report_of(stage), RunContext(run.spec, f"after {stage}", run.open_services))

    monkeypatch.setattr(runs, "run_stage", run_stage)
    folder = RunFolder(context.open_services().store, "brain", "run-1")
    last = runs._run_stages(context, folder)
    names = [stage.name for stage in stages()]
    assert ran == list(zip(names, ["try", *(f"after {name}" for name in names)], strict=False))
    assert last.attempt == f"after {names[-1]}"
    assert all(folder.read(f"report-{name}", StageReport).stage == name for name in names)


def test_items_that_were_given_up_are_printed_with_their_reasons(capsys):
    """Kills a run that loses subvolumes in silence, and a reason whose brackets are read as markup."""
    reasons = {"sv-00000001": "step [dt-watershed] took longer than 60 s", "sv-00000007": "out of memory"}
    runs.show_report(report_of("segment", segment=reasons))
    shown = capsys.readouterr().out
    assert re.search(r"GIVEN UP\D+\b2\b.*\bsegment\b", shown)
    assert all(re.search(rf"^ *{item}: {re.escape(why)}$", shown, re.MULTILINE) for item, why in reasons.items())
    runs.show_report(report_of("segment"))
    assert "GIVEN UP" not in capsys.readouterr().out
