"""The tasks that run in Airflow: what they return, and how a refusal and a release leave them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from tests.airflow.contexts import running
from tests.refusals import refused

from emseg.alerts import Alert
from emseg.errors import PermanentError
from emseg.publish import ReleaseRecord
from emseg.publish.chain import serve
from emseg.quality import Verdict
from emseg.store import FolderStore
from emseg.tasks import alerting, gate, publish, run_links
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import tasks
from emseg_airflow.refusal import GateRefusalError

RUN = {"dataset": "demo", "run": "manual-1a2b3c4d"}
VERDICT = Verdict(
    passed=True, fingerprint="f" * 32, dataset="demo", run=RUN["run"], reasons=(), figures={"vi_split": 0.5}, rows=()
)
RELEASE = ReleaseRecord(
    number=3,
    dataset="demo",
    root="a" * 32,
    uuid="b" * 32,
    branch="emseg-f",
    instance="segmentation",
    fingerprint="f" * 32,
    run=RUN["run"],
    figures={},
    supersedes=None,
)


class TaskInstance:
    def xcom_pull(self, task_ids: str) -> Any:
        return RUN if task_ids == "pin" else None


class OutletEvents(dict[Any, Any]):
    """Collects `add(asset, extra=...)` calls by outlet, as Airflow's accessor does."""

    def __missing__(self, outlet: Any) -> Any:
        added: list[tuple[Asset, dict[str, Any]]] = []
        self[outlet] = SimpleNamespace(added=added, add=lambda asset, extra: added.append((asset, extra)))
        return self[outlet]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run folder in a store on disk; the spec is not read, because nothing below it is."""
    store = FolderStore(tmp_path)
    monkeypatch.setattr(tasks, "services", lambda: SimpleNamespace(store=store, server=None))
    monkeypatch.setattr(RunFolder, "context", lambda *_: None)
    monkeypatch.setattr(run_links, "run_links", lambda *_: {"DVID node": "http://dvid/node"})
    return RunFolder(store, **RUN)


@pytest.mark.parametrize("dry", [True, False])
def test_a_dry_run_goes_no_further(dry: bool) -> None:
    with running(ti=TaskInstance(), params={"dry_run": dry}):
        assert tasks.unless_dry_run.function() is not dry


def test_a_passed_gate_returns_the_figures(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "gate_run", lambda *_: VERDICT)
    with running(ti=TaskInstance()):
        returned = tasks.gate.function()
    assert returned == {"passed": True, "fingerprint": "f" * 32, "figures": {"vi_split": 0.5}}
    assert len(json.dumps(returned)) < 4096


def test_a_refused_result_fails_the_gate_for_good_and_says_why(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills a gate that only returns its verdict: publish would run."""
    verdict = VERDICT.model_copy(update={"passed": False, "reasons": ("VI split is 2 bits; at most 1",)})
    monkeypatch.setattr(gate, "gate_run", lambda *_: verdict)
    page = f"http://localhost:8080/emseg/report/{folder.dataset}/{folder.run}"

    def alert(_run: object, about: Verdict, pages: dict[str, str]) -> Alert:
        told = {"dataset": about.dataset, "run": about.run, "reasons": about.reasons, "links": pages}
        return Alert(kind="refused", severity="error", title="refused", **told)

    monkeypatch.setattr(alerting, "refusal_alert", alert)
    with running(ti=TaskInstance()), refused(GateRefusalError, *verdict.reasons, page) as caught:
        tasks.gate.function()
    assert isinstance(caught.value, PermanentError)
    assert caught.value.alert.links == {"Report": page}


def test_a_release_is_an_event_of_the_asset_of_its_dataset(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downstream DAGs read which node to use from the event, so it must hold no moving name."""
    monkeypatch.setattr(publish, "publish_run", lambda *_: RELEASE)
    serve(folder.store, RELEASE)
    events = OutletEvents()
    with running(ti=TaskInstance(), outlet_events=events):
        returned = tasks.publish.function()
    ((asset, extra),) = events[tasks.RELEASES].added
    assert asset.name == "emseg_demo"
    assert asset.uri == "x-emseg://demo"
    assert extra == returned == {"uuid": "b" * 32, "instance": "segmentation", "number": 3}


def test_a_result_that_is_not_served_any_more_is_no_event(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills readers who go by the event and get what a rollback took back, when its run is repeated."""
    monkeypatch.setattr(publish, "publish_run", lambda *_: RELEASE)
    serve(folder.store, RELEASE.model_copy(update={"number": 4, "uuid": "c" * 32}))
    events = OutletEvents()
    with running(ti=TaskInstance(), outlet_events=events):
        assert tasks.publish.function()["number"] == 3
    assert not events


def test_datasets_have_assets_of_their_own() -> None:
    assert tasks.release_asset("demo") != tasks.release_asset("hemibrain")


def test_parameters_that_the_form_does_not_know_are_refused(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form cannot refuse an unknown name in a REST call; a misspelled `presett` would silently do nothing."""
    params = {"dataset": "demo", "presett": "classical"}
    with running(ti=TaskInstance(), run_id="manual__x", params=params), refused(PermanentError, "presett"):
        tasks.pin.function()
