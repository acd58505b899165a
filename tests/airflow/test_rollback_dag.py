"""The DAG that takes a release back: its form, and who and why in the record."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.models.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow.contexts import running
from tests.refusals import refused

from emseg import publish
from emseg.errors import PermanentError
from emseg_airflow import rollback

PROJECT = Path(__file__).resolve().parents[2]
FORM: dict[str, Any] = {"dataset": "by-hand", "release": 3, "why": "release 4 joins two cells"}


@pytest.fixture
def dag(datasets: Path) -> DAG:
    bag = DagBag(str(PROJECT / "dags"), collect_dags=True)
    assert bag.import_errors == {}
    return bag.dags["roll_back"]


def test_it_is_one_task_in_the_pool_of_writers(dag: DAG) -> None:
    (task,) = dag.tasks
    assert (task.task_id, task.pool) == ("serve_again", "dvid_write")
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(document).params.keys() == set(FORM)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dataset", "other"), ("release", 0), ("release", 1.5), ("release", "3"), ("why", ""), ("why", "x" * 501)],
)
def test_a_bad_value_is_refused_by_the_form(dag: DAG, name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


@pytest.mark.parametrize("wrong", [{"why": ""}, {"release": 0}, {"relase": 3}, {"dataset": "../x"}])
def test_the_task_refuses_what_a_caller_of_the_api_sends(wrong: dict[str, Any]) -> None:
    with running(params=FORM | wrong), refused(PermanentError, next(iter(wrong))):
        rollback.serve_again.function()


def test_the_record_says_who_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a rollback that nobody has done."""
    called: list[tuple[Any, ...]] = []
    released = SimpleNamespace(uuid="ab", instance="segmentation", number=5)
    monkeypatch.setattr(publish, "roll_back", lambda *given: called.append(given) or released)
    monkeypatch.setattr(rollback, "services", lambda: SimpleNamespace(store="the store"))
    with running(params=FORM, dag_run=SimpleNamespace(triggering_user_name="ana")):
        assert rollback.serve_again.function() == {"uuid": "ab", "instance": "segmentation", "number": 5}
    assert called == [("the store", "by-hand", 3, "ana", FORM["why"])]
