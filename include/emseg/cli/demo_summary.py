"""What a demo leaves behind: build/demo/summary.json, the pictures and pages, and the figures on the screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emseg.cli.console import console
from emseg.disk import replacing_folder
from emseg.engine.report import PhaseSummary, StageReport
from emseg.phases import phase_named, stages
from emseg.phases.services import DvidServices
from emseg.publish import ReleaseRecord
from emseg.quality import Verdict
from emseg.tasks.plan import Plan
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import view_link


def show_outcome(services: DvidServices, folder: RunFolder, out: Path) -> bool:
    """Copy the run folder to `out`, write summary.json, print the figures; whether there is a verdict."""
    names = [f"report-{stage.name}" for stage in stages()]
    reports = [folder.read(name, StageReport) for name in names if folder.has(name)]
    verdict = folder.read("verdict", Verdict) if folder.has("verdict") else None
    release = folder.read("release", ReleaseRecord) if folder.has("release") else None
    summary = _summary(folder, reports, verdict, release)
    with replacing_folder(out) as written:
        _copy(folder, written)
        (written / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    _show(summary, verdict, out)
    if release is not None:
        console.print(f"  3-D view    {view_link(folder.pinned_context(lambda: services))}")
    return verdict is not None


def _summary(
    folder: RunFolder, reports: list[StageReport], verdict: Verdict | None, release: ReleaseRecord | None
) -> dict[str, Any]:
    figures = verdict.figures if verdict else {}
    return {
        "dataset": folder.dataset,
        "run": folder.run,
        "verdict": "none" if verdict is None else "passed" if verdict.passed else "failed",
        "vi_split": figures.get("vi_split"),
        "vi_merge": figures.get("vi_merge"),
        "are": figures.get("adapted_rand_error"),
        "subvolumes": folder.read("plan", Plan).subvolumes if folder.has("plan") else None,
        "release": None if release is None else release.model_dump(mode="json"),
        "stages": {line: _figures(phases) for line, phases in _by_line(reports).items()},
    }


def _by_line(reports: list[StageReport]) -> dict[str, list[PhaseSummary]]:
    """Phases by the line of the summary that counts them."""
    lines: dict[str, list[PhaseSummary]] = {}
    for summary in (summary for report in reports for summary in report.phases):
        lines.setdefault(phase_named(summary.phase).line, []).append(summary)
    return lines


def _figures(phases: list[PhaseSummary]) -> dict[str, Any]:
    return {
        "seconds": round(sum(phase.seconds for phase in phases), 3),
        "items_done": sum(phase.items_done for phase in phases),
        "items_reused": sum(phase.items_reused for phase in phases),
        "items_given_up": sum(phase.items_given_up for phase in phases),
        "phases": {p.phase: {"key": p.key, "content_digest": p.content_digest} for p in phases if not p.served},
    }


def _show(summary: dict[str, Any], verdict: Verdict | None, out: Path) -> None:
    console.rule("demo")
    for stage, report in summary["stages"].items():
        lost = f", {report['items_given_up']} GIVEN UP" if report["items_given_up"] else ""
        what = f"{report['items_done']} items done, {report['items_reused']} reused{lost}"
        console.print(f"  {stage:11} {report['seconds']:6.1f} s   {what}")
    if verdict is not None:
        if verdict.has_groundtruth:
            console.print(f"  VI          split {summary['vi_split']:.3f}, merge {summary['vi_merge']:.3f} bits")
            console.print(f"  ARE         {summary['are']:.3f}")
        console.print(f"  verdict     {summary['verdict']}")
        for reason in verdict.reasons:
            console.print(f"              {reason}", markup=False)
    release = summary["release"]
    console.print(
        f"  release     {'none' if release is None else release['uuid'] + ', number ' + str(release['number'])}"
    )
    console.print(f"  report      {out / 'report.html'}\n  Data Docs   {out / 'datadocs' / 'index.html'}")
    console.print(f"  pictures    {out / 'pictures'}\n  summary     {out / 'summary.json'}")


def _copy(folder: RunFolder, out: Path) -> None:
    for path, data in folder.files():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
