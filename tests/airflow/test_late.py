"""Late runs: which deadlines a DAG has, and which missed ones people hear of."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.memory_store import MemoryStore

from emseg.alerts import Receipts
from emseg.tasks.run_folder import run_name
from emseg_airflow import late, notifier
from emseg_airflow.late import deadlines, tell_late


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryStore:
    """Datasets that are late after 6 and 36 hours, one that never is, one that tells nobody, and a broken one."""
    found = MemoryStore()
    monkeypatch.setattr(notifier, "object_store", lambda: found)
    monkeypatch.setenv("EMSEG_DATASETS", str(tmp_path))
    policies = {"six": "late_after_h: 6", "other-six": "late_after_h: 6", "long": "late_after_h: 36", "never": ""}
    for name, policy in {**policies, "quiet": "late_after_h: 1, late: null", "broken": "late_after_h: soon"}.items():
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\ndescription: d\nalerts: {{{policy}}}\n"
            "volume: {node: de30000000000000000000000000de30, groundtruth: {instance: groundtruth}}\n"
        )
    return found


DATASETS = ("six", "other-six", "long", "never", "quiet", "broken")


def missed(state: str = "running", **conf: str) -> dict[str, Any]:
    """What Airflow tells the callback about the run."""
    run = {"dag_run_id": "manual__1", "dag_id": "segment_volume", "state": state, "conf": conf or None}
    return {"dag_run": {**run, "queued_at": "2026-11-29T02:00:00Z", "start_date": None}, "deadline": {"id": "1"}}


def told(store: MemoryStore, dataset: str) -> list[str]:
    return [receipt.alert.title for receipt in Receipts(store, dataset, run_name("manual__1")).of_this_run()]


def call(context: dict[str, Any], after_h: float, fixed: str | None = None) -> None:
    asyncio.run(tell_late(context=context, after_h=after_h, fixed=fixed))


def test_a_dag_has_a_deadline_for_each_number_of_hours_that_its_datasets_name() -> None:
    """Kills one deadline for all datasets, and a broken or silent dataset file that has one or hides the DAG."""
    found = deadlines(DATASETS)
    assert [each.interval for each in found] == [timedelta(hours=6), timedelta(hours=36)]
    assert [each.callback.kwargs for each in found] == [{"after_h": 6, "fixed": None}, {"after_h": 36, "fixed": None}]
    assert {each.callback.path for each in found} == {f"{late.__name__}.tell_late"}
    (scheduled,) = deadlines(["long"], fixed="long")
    assert scheduled.callback.kwargs == {"after_h": 36, "fixed": "long"}


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_is_going_on_is_told_of_once(state: str, store: MemoryStore) -> None:
    for _ in range(2):
        call(missed(state, dataset="six"), 6)
    assert told(store, "six") == ["A run is not done after 6 hours"]
    (receipt,) = Receipts(store, "six", run_name("manual__1")).of_this_run()
    assert (receipt.alert.kind, receipt.alert.severity) == ("late", "warning")
    assert receipt.alert.links["Run in Airflow"].endswith("/dags/segment_volume/runs/manual__1")
    assert receipt.deliveries["log"].tries == 1


def test_a_scheduled_run_does_not_name_its_dataset(store: MemoryStore) -> None:
    call(missed(), 36, fixed="long")
    assert told(store, "long") == ["A run is not done after 36 hours"]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_has_ended_is_not_late(state: str, store: MemoryStore) -> None:
    """Kills a second message about a failed run: Airflow keeps its deadline and calls when it passes."""
    call(missed(state, dataset="six"), 6)
    assert told(store, "six") == []


@pytest.mark.parametrize(("dataset", "after_h"), [("six", 36), ("never", 6), ("quiet", 1), ("broken", 6), ("gone", 6)])
def test_the_deadline_of_another_dataset_is_not_this_ones(dataset: str, after_h: float, store: MemoryStore) -> None:
    """Kills an alert after 6 hours about a dataset that allows 36: the DAG for all datasets has both deadlines."""
    call(missed(dataset=dataset), after_h)
    receipts = Receipts(store, dataset, run_name("manual__1")).of_this_run()
    assert [receipt.deliveries for receipt in receipts] in ([], [{}])
