"""The DAGs `watch_quality_DATASET` without a server: who gets one, its tasks, what ends a run, what people are told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow.contexts import running

from emseg.alerts import Alert, Receipts
from emseg.quality import Verdict
from emseg.store import FolderStore
from emseg.tasks import watch as library
from emseg.tasks.evaluation import job
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import watch

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bag(datasets: Path) -> DagBag:
    with (datasets / "nightly.yaml").open("a") as file:
        file.write("watch: {schedule: '@hourly'}\n")
    return DagBag(str(PROJECT / "dags"), collect_dags=True)


@pytest.fixture
def dag(bag: DagBag) -> DAG:
    assert bag.import_errors == {}
    return bag.dags["watch_quality_nightly"]


def test_only_a_dataset_with_a_watch_has_one_and_its_tasks_read_from_dvid(bag: DagBag, dag: DAG) -> None:
    """Kills the schedule of the runs, a job among the writers, and a DAG that Airflow's database cannot keep."""
    assert [name for name in bag.dags if name.startswith("watch")] == ["watch_quality_nightly"]
    assert (dag.schedule, dag.catchup, dag.max_active_runs) == ("@hourly", False, 1)
    edges = {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}
    assert edges == {("pin", "evaluate"), ("evaluate", "judge")}
    assert {dag.get_task(name).pool for name in ("evaluate", "judge")} == {"dvid_read"}
    assert all(f"| `{task.task_id}` |" in dag.doc_md for task in dag.tasks)
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert sorted(DagSerialization.from_dict(document).task_ids) == ["evaluate", "judge", "pin"]


def test_its_dataset_is_known_to_alerts_and_cannot_be_another(dag: DAG) -> None:
    """Kills failures whose alerts are about no dataset, and a trigger that watches by the schedule of another."""
    assert dag.params.get_param("dataset").resolve() == "nightly"
    with pytest.raises(ParamValidationError):
        dag.params.get_param("dataset").resolve("by-hand")


def test_a_run_ends_as_skipped_where_nothing_changed(bag: DagBag, tmp_path: Path, monkeypatch) -> None:
    """Kills a Spark job each hour, and a run that is red because all is as it was."""
    found: list[RunFolder | None] = [None, RunFolder(FolderStore(tmp_path), "evaluations", "watch-1")]
    monkeypatch.setattr(watch, "services", lambda: None)
    monkeypatch.setattr(library, "pin_watch", lambda dataset, _: found.pop(0) if dataset.name == "nightly" else 0)
    with running(params={"dataset": "nightly"}, run_id="scheduled__1"):
        with pytest.raises(AirflowSkipException):
            watch.pin_watched.function()
        assert watch.pin_watched.function() == {"dataset": "evaluations", "run": "watch-1"}


def test_people_are_told_with_links_and_a_receipt_that_other_runs_find(
    bag: DagBag, tmp_path: Path, monkeypatch
) -> None:
    """Kills a receipt under the name of the DAG run, with which the next DAG run would tell the same again."""
    store = FolderStore(tmp_path)
    folder = RunFolder(store, "evaluations", "watch-1")
    kept = {"watch": SimpleNamespace(dataset="nightly", release=SimpleNamespace(run="earlier", number=3))}
    monkeypatch.setattr(RunFolder, "read", lambda _, name, *__: kept.get(name))
    monkeypatch.setattr(watch, "services", lambda: SimpleNamespace(store=store))
    monkeypatch.setattr(job, "context_of", lambda *_: None)
    asked: list[Any] = []

    def judged(_: object, given: RunFolder, gate: object, pages: dict[str, str], tell: Any) -> Verdict:
        asked.append((given.address(), gate))
        about = {"dataset": "nightly", "run": given.run, "cause": "c", "links": pages}
        tell(Alert(kind="regression", severity="info", title="worse", **about))
        return SimpleNamespace(passed=False, figures={"vi": 1.0})

    monkeypatch.setattr(library, "judge_watch", judged)
    context = {"ti": SimpleNamespace(xcom_pull=lambda **_: {"dataset": "evaluations", "run": "watch-1"})}
    with running(**context, dag=SimpleNamespace(dag_id="watch_quality_nightly"), run_id="scheduled__1"):
        returned = watch.judge.function()
    assert returned["passed"] is False
    assert asked[0][0] == folder.address()
    (receipt,) = Receipts(store, "evaluations", "watch-1").of_this_run()
    assert receipt.alert.severity == "error"
    assert receipt.deliveries["log"].state == "delivered"
    assert any("/nightly/earlier" in link for link in receipt.alert.links.values())
    assert any("watch_quality_nightly/runs/scheduled__1" in link for link in receipt.alert.links.values())
