"""A deliberately bad segmentation: it is not published, people are told why, and the old release stays."""

from __future__ import annotations

import pytest
from tests.pipeline.conftest import report_of

from emseg.dvid import Node
from emseg.engine.report import StageReport
from emseg.phases.keys import phase_keys
from emseg.phases.services import DvidServices
from emseg.publish import served_release
from emseg.quality import Verdict

STAGES = ("segment", "stitch", "evaluate")

pytestmark = [pytest.mark.services, pytest.mark.spark, pytest.mark.airflow]


def test_a_bad_segmentation_is_not_published_and_the_alert_says_why(published, trigger, services: DvidServices, alerts):
    """Kills a gate whose failure only colours a task, a publish that ignores it, and an alert without numbers."""
    before = served_release(services.store, "demo")
    assert before is not None
    assert Node(services.server, before.uuid).info().locked
    alerts.clear()

    bad = trigger({"dataset": "demo", "stitch": "none"})
    assert bad.ended() == "failed"

    assert bad.tasks()["gate"] == "failed"
    assert bad.tasks()["publish"] == "upstream_failed"
    assert bad.tries()["gate"] == 1, "a failed verdict was tried again"
    verdict = bad.folder.read("verdict", Verdict)
    assert not verdict.passed
    assert verdict.figures["vi_split"] > published.folder.read("verdict", Verdict).figures["vi_split"]
    assert served_release(services.store, "demo") == before
    assert not Node(services.server, phase_keys(bad.folder.spec())["write"]).info().locked

    (alert,) = alerts
    told = alert["alert"]
    assert told["run"] == bad.folder.run
    assert told["figures"]["vi_split"] == verdict.figures["vi_split"]
    assert f"{verdict.figures['vi_split']:.6g}" in " ".join(told["reasons"])
    assert (told["kind"], told["served_number"]) == ("refused", before.number)
    assert told["served"] == before.figures
    assert told["places"][0]["link"].startswith("https://neuroglancer")
    assert len(told["places"][0]["position_vox"]) == 3
    report = report_of(bad.airflow, told["links"]["Report"])
    assert (report.status_code, "not published" in report.text) == (200, True)

    phases = {p.phase: p for stage in STAGES for p in bad.folder.read(f"report-{stage}", StageReport).phases}
    assert (phases["segment"].items_done, phases["segment"].items_reused) == (0, 18)
    assert phases["match"].items_done == 0
    assert phases["resolve"].items_done == 2  # one region, and its part of the result
    assert phases["write"].items_reused == 0
