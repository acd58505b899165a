"""What an alert says about a result: made from the documents of a run, without any service."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.memory_store import MemoryStore
from tests.running import a_spec

from emseg.alerts import Alert
from emseg.config import RunSpec
from emseg.config.runspec import PinnedFigure, PinnedMetric
from emseg.geometry import Box
from emseg.phases.run_context import RunContext
from emseg.publish import ReleaseRecord
from emseg.publish.chain import serve
from emseg.quality import Finding, Findings, MetricRow, ShownFigure, Verdict, View
from emseg.tasks.alerting import PLACES, publication_alert, refusal_alert, refusal_kind
from emseg.tasks.run_folder import RunFolder

SPEC = a_spec(Box.of_shape((64, 64, 128)))
REPORT = {"Report": "https://airflow/emseg/report/local/run"}
NOTHING = Findings()
BAD = MetricRow("volume", SPEC.dataset, "vi_split", 1.5, 1.0, "max")


def verdict(*rows: MetricRow) -> Verdict:
    return Verdict(
        passed=False,
        fingerprint="f" * 32,
        dataset=SPEC.dataset,
        run=SPEC.run,
        reasons=("VI split is too high",),
        figures={"vi_split": 1.5, "are": float("nan")},
        rows=rows or (BAD,),
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def told(store: MemoryStore, findings: Findings = NOTHING, spec: RunSpec = SPEC) -> Alert:
    services = SimpleNamespace(store=store, server=SimpleNamespace(url="https://dvid.example.org"))
    folder = RunFolder(store, spec.dataset, spec.run)
    folder.write("spec", spec)
    folder.write("findings", findings)
    run: RunContext[Any] = RunContext(spec, "look", lambda: services)
    return refusal_alert(run, verdict(), REPORT)


def served(store: MemoryStore, spec: RunSpec) -> None:
    RunFolder(store, spec.dataset, spec.run).write("spec", spec)
    serve(store, release(spec, {"vi_split": 0.9}))


def release(spec: RunSpec, figures: dict[str, float]) -> ReleaseRecord:
    return ReleaseRecord(
        number=3,
        dataset=spec.dataset,
        root="a" * 32,
        uuid="b" * 32,
        branch="emseg-f",
        instance="segmentation",
        fingerprint="e" * 32,
        run=spec.run,
        figures=figures,
        supersedes=None,
    )


def finding(body: int, bits: float) -> Finding:
    view = View(position_vox=(3.5, 20.5, float(body)), span_nm=1000.0, segments=(body,))
    return Finding(body=body, voxels=100, bits=bits, partners=2, view=view)


def test_the_worst_places_come_first_each_with_coordinates_and_a_link_that_opens_there(store):
    """Kills places in the order of the report (all cut bodies first), and X Y Z told as Z Y X."""
    cut = tuple(finding(body, 1.0 / body) for body in range(1, 7))
    found = told(store, Findings(cut=cut, joining=(finding(40, 0.4),))).places
    assert len(found) == PLACES
    assert [int(place.position_vox[2]) for place in found] == [1, 2, 40, 3, 4]
    assert str(found[2]).endswith("(at Z 3, Y 20, X 40)")
    assert "%2240%22" in found[2].link
    assert found[2].link.startswith("https://neuroglancer")


def test_a_refusal_tells_figures_beside_the_served_release(store):
    served(store, SPEC.model_copy(update={"run": "earlier"}))
    alert = told(store)
    assert alert.figure_lines() == ["vi_split: 1.5 (release 3: 0.9, +0.6)"]
    assert alert.links["Report"] == REPORT["Report"]
    assert not any(address.startswith("s3:") for address in alert.links.values())


@pytest.mark.parametrize("what", ["groundtruth", "region", "spec gone", "pointer damaged"])
def test_figures_of_other_ground_truth_or_of_another_region_are_not_compared(what, store):
    """Kills a comparison of unlike things, and a refusal that nobody hears of because the comparison failed."""
    other = SPEC.model_copy(update={"run": "earlier"})
    if what == "groundtruth":
        other = other.model_copy(update={"groundtruth": other.groundtruth.model_copy(update={"node": "c" * 32})})
    if what == "region":
        other = other.model_copy(update={"volume": other.volume.model_copy(update={"roi_digest": "d"})})
    served(store, other)
    if what == "spec gone":
        store.delete(f"{other.dataset}/runs/earlier/spec.json")
    if what == "pointer damaged":
        store.objects[f"{other.dataset}/releases/current.json"] = b"{"
    alert = told(store)
    assert (alert.served, alert.served_number) == ({}, None)
    assert alert.reasons == ("VI split is too high",)


def test_figures_that_nothing_is_asked_of_and_those_of_another_metric_are_left_out(store):
    """Kills a message of forty lines, and numbers of two versions of a metric side by side."""
    figure = PinnedFigure(name="own_figure", title="Own", unit="", worse=1)
    metrics = [PinnedMetric(name="own", version=n, package="own==1", figures=(figure,)) for n in (1, 2)]
    old, new = (SPEC.model_copy(update={"metrics": (metric,), "run": metric.name + "-1"}) for metric in metrics)
    RunFolder(store, SPEC.dataset, old.run).write("spec", old)
    serve(store, release(old, {"vi_split": 0.9, "own_figure": 4.0}))
    free = ShownFigure(name="merges_50", title="M", unit="", value=9, limit=None, direction="max")
    asked = free.model_copy(update={"name": "own_figure", "limit": 3})
    figures = {"vi_split": 1.5, "merges_50": 9.0, "own_figure": 9.0}
    judged = verdict().model_copy(update={"figures": figures, "shown": (free, asked)})
    for spec, beside in ((new, {"vi_split": 0.9}), (old, {"vi_split": 0.9, "own_figure": 4.0})):
        RunFolder(store, SPEC.dataset, spec.run).write("findings", NOTHING)
        services = SimpleNamespace(store=store, server=SimpleNamespace(url="https://dvid.example.org"))
        run: RunContext[Any] = RunContext(spec, "look", lambda services=services: services)
        alert = refusal_alert(run, judged, REPORT)
        assert alert.figures == {"vi_split": 1.5, "own_figure": 9.0}
        assert alert.served == beside


def test_worse_than_the_served_release_alone_is_a_regression():
    """Kills `regression` for a result that also misses a limit."""
    assert refusal_kind(verdict(BAD)) == "refused"
    worse = SimpleNamespace(keeps_limit=False, scope="change")
    good = SimpleNamespace(keeps_limit=True, kind="limit")
    assert refusal_kind(SimpleNamespace(rows=(worse, good))) == "regression"
    assert refusal_kind(SimpleNamespace(rows=(worse, BAD))) == "refused"
    assert refusal_kind(SimpleNamespace(rows=())) == "refused"


def test_a_release_is_told_with_what_readers_need():
    alert = publication_alert("published", "Release 3", release(SPEC, {"vi_split": 0.9}), REPORT)
    assert (alert.kind, alert.run, alert.figures) == ("published", SPEC.run, {"vi_split": 0.9})
    assert "b" * 32 in alert.reasons[0]
