"""The DAG `train_model` without a server: its form, its task, what it hands on. `tests/pipeline` runs it for real."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, RetryAction
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow.contexts import running

from emseg.config.presets import trained_preset_names
from emseg.errors import PermanentError, TransientError
from emseg.geometry import Box
from emseg.tasks import train
from emseg.training.presets import training_settings
from emseg_airflow import training
from emseg_airflow.notifier import EmsegNotifier

PROJECT = Path(__file__).resolve().parents[2]
BOX = [0, 0, 0, 64, 112, 128]
GOOD = {"dataset": "by-hand", "node": None, "boxes": [BOX], "preset": "default", "seed": 5}


@pytest.fixture
def dag(datasets: Path) -> DAG:
    bag = DagBag(str(PROJECT / "dags"), collect_dags=True)
    assert bag.import_errors == {}
    return bag.dags["train_model"]


def test_a_person_finds_the_guide_and_one_task_in_the_pool_of_readers(dag: DAG) -> None:
    assert dag.doc_md == (PROJECT / "docs" / "training.md").read_text()
    (task,) = dag.tasks
    assert (task.task_id, task.pool) == ("train", "dvid_read")
    assert dag.max_active_runs == 1
    assert isinstance(task.on_failure_callback[0], EmsegNotifier)


def test_bad_input_is_not_trained_twice_and_an_outage_is(dag: DAG) -> None:
    """Kills a second hour of training for an empty box."""
    (task,) = dag.tasks
    assert task.retries > 0
    actions = [
        task.retry_policy.evaluate(kind("d", "o", "f", "r"), 1, 1).action for kind in (PermanentError, TransientError)
    ]
    assert actions == [RetryAction.FAIL, RetryAction.DEFAULT]


def test_the_dag_survives_the_way_through_airflows_database(dag: DAG) -> None:
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(document).params.keys() == set(GOOD)


def test_the_form_offers_the_presets_that_can_be_trained(dag: DAG) -> None:
    """Kills `classical` in the list, and a preset that segments but has no training."""
    offered = dag.params.get_param("preset").schema["enum"]
    assert offered == trained_preset_names()
    for name in offered:
        training_settings(name)


def test_good_values_pass_and_a_dataset_and_boxes_must_be_given(dag: DAG) -> None:
    """Kills a default box: a model of the wrong tissue by pressing the button twice."""
    for name in ("dataset", "boxes"):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve()
    for name, value in GOOD.items():
        assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "other"),
        ("node", "master"),
        ("boxes", []),
        ("boxes", BOX),
        ("boxes", [BOX[:5]]),
        ("boxes", [[*BOX, 1]]),
        ("boxes", [[*BOX[:5], 128.5]]),
        ("boxes", "0,0,0,64,112,128"),
        ("preset", "classical"),
        ("preset", None),
        ("seed", -1),
        ("seed", 0.5),
    ],
)
def test_a_bad_value_is_refused_by_the_form(dag: DAG, name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, datasets: Path) -> list[Any]:
    """What the task asks of the library, which answers at once."""
    asked: list[Any] = []
    figures = {"boundary_average_precision": 0.9, "vi_split": 0.5, "vi_merge": 0.25, "adapted_rand_error": 0.1}
    trained = SimpleNamespace(model=SimpleNamespace(digest="1f" * 32), report=SimpleNamespace(figures=figures))

    def answer(*given: Any) -> Any:
        asked.extend(given)
        given[-1]("pixel classifier, pass 1 of 1")
        return trained, f"s3://bucket/model-reports/{'1f' * 32}/report.html"

    monkeypatch.setattr(training, "services", lambda: "the services")
    monkeypatch.setattr(train, "train_in_store", answer)
    return asked


def test_the_task_returns_little_and_tells_its_progress(asked: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    """Kills a model in Airflow's database, and an hour without a line in the log."""
    with running(params=GOOD), caplog.at_level(logging.INFO):
        returned = training.train_model.function()
    assert returned["model"] == "1f" * 32
    assert returned["figures"]["vi_split"] == 0.5
    assert len(json.dumps(returned)) < 4096
    assert "pixel classifier, pass 1 of 1" in caplog.text
    assert f"Model {'1f' * 32}, report s3://" in caplog.text


def test_the_task_trains_on_what_the_form_says(asked: list[Any]) -> None:
    """Kills boxes in X Y Z, a forgotten box, and a node that is shown in the form and not used."""
    second = [64, 0, 0, 80, 10, 20]
    with running(params=GOOD | {"boxes": [BOX, second], "node": "abcd:master"}):
        training.train_model.function()
    dataset, boxes, preset, seed, services, _ = asked
    assert (dataset.name, dataset.volume.node) == ("by-hand", "abcd:master")
    assert boxes == [Box((0, 0, 0), (64, 112, 128)), Box((64, 0, 0), (80, 10, 20))]
    assert (preset, seed, services) == ("default", 5, "the services")


@pytest.mark.parametrize(
    ("name", "value"),
    [("gate", {}), ("url", "http://x"), ("boxes", []), ("boxes", [[0] * 5]), ("seed", -1), ("dataset", "../demo")],
)
def test_the_task_checks_what_callers_of_the_api_gave(name: str, value: Any, asked: list[Any]) -> None:
    """Kills a task that trusts the form: whoever calls the API does not see it, and can add keys."""
    with running(params=GOOD | {name: value}), pytest.raises(PermanentError, match=name):
        training.train_model.function()
    assert asked == []


def test_without_a_node_the_datasets_own_is_used(asked: list[Any]) -> None:
    with running(params=GOOD):
        training.train_model.function()
    assert asked[0].volume.node == "de30000000000000000000000000de30"


def test_parsing_imports_nothing_heavy() -> None:
    """The DAG processor parses again and again; what trains must be imported by the task."""
    heavy = {
        "scipy",
        "numba",
        "lightgbm",
        "matplotlib",
        "boto3",
        "pandas",
        "skimage",
        "bioimage_cpp",
        "great_expectations",
    }
    script = "import runpy, sys; sys.path.append('plugins'); runpy.run_path('dags/train_model.py'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()
