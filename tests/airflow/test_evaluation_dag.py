"""The DAG `evaluate_segmentation` without a server: its form, its task `pin`, what it hands on, what parsing costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow.contexts import running
from tests.refusals import refused

from emseg.config.evaluation import EvaluationParameters, EvaluationSpec, PinnedInstance
from emseg.config.groundtruth import Counting
from emseg.config.runspec import PinnedBox
from emseg.errors import PermanentError
from emseg.store import FolderStore
from emseg.tasks import evaluation as library
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import evaluation

PROJECT = Path(__file__).resolve().parents[2]
NODE = "de30000000000000000000000000de30"
GOOD: dict[str, Any] = {
    "segmentation": f"{NODE}:emseg-0123:segmentation",
    "groundtruth": "de30:groundtruth",
    "roi": "de30:roi",
    "box": [0, 0, 0, 64, 112, 128],
    "leave_out": [[0, 0, 0, 9, 9, 9]],
    "segmentation_supervoxels": True,
    "groundtruth_supervoxels": False,
    "core_vox": [64, 128, 256],
    "unassigned": "singletons",
    "ignore_boundary_nm": 20.5,
    "bodies": [5, 2**47],
    "min_body_vox": 1000,
    "scale": 2,
    "components": True,
}


@pytest.fixture
def dag(datasets: Path) -> DAG:
    bag = DagBag(str(PROJECT / "dags"), collect_dags=True)
    assert bag.import_errors == {}
    return bag.dags["evaluate_segmentation"]


def test_a_job_that_reads_from_dvid_follows_the_pin_and_the_scores_follow_it(dag: DAG) -> None:
    """Kills a job among the writers, and a DAG that Airflow's database cannot keep."""
    edges = {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}
    assert edges == {("pin", "evaluate"), ("evaluate", "score")}
    assert {dag.get_task(name).pool for name in ("evaluate", "score")} == {"dvid_read"}
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(document).params.keys() == set(GOOD)


def test_good_values_pass_and_both_labelmaps_must_be_given(dag: DAG) -> None:
    """Kills a form that lacks a field of the library, and one without a way to leave a field empty."""
    assert set(GOOD) == set(EvaluationParameters.model_fields)
    for name in ("segmentation", "groundtruth"):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve()
    defaults = {name: dag.params.get_param(name).resolve() for name in GOOD.keys() - {"segmentation", "groundtruth"}}
    both = {name: GOOD[name] for name in ("segmentation", "groundtruth")}
    assert EvaluationParameters.model_validate(defaults | both) == EvaluationParameters.model_validate(both)
    for name, value in GOOD.items():
        assert dag.params.get_param(name).resolve(value) == value
    for name in ("roi", "box"):
        assert dag.params.get_param(name).resolve(None) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("segmentation", "segmentation"),
        ("segmentation", "master:segmentation"),
        ("groundtruth", "de30:../groundtruth"),
        ("roi", "roi"),
        ("box", [0, 0, 0, 64, 112]),
        ("box", [0, 0, -1, 64, 112, 128]),
        ("leave_out", [[0, 0, 0]]),
        ("leave_out", [[0, 0, 0, 1, 1, 1.5]]),
        ("segmentation_supervoxels", "perhaps"),
        ("core_vox", [64, 64, 65]),
        ("unassigned", "nothing"),
        ("ignore_boundary_nm", -1),
        ("bodies", [0]),
        ("min_body_vox", -1),
        ("scale", 5),
    ],
)
def test_a_bad_value_is_refused_by_the_form_and_by_the_task(dag: DAG, name: str, value: Any) -> None:
    """Kills a check that callers of the API pass by."""
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)
    with running(params=GOOD | {name: value}, run_id="manual__1"), refused(PermanentError, name):
        evaluation.pin_labelmaps.function()


def test_the_pin_hands_on_where_its_spec_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a spec in Airflow's database, and fields of the form that do not reach the library."""
    store = FolderStore(tmp_path)
    spec = EvaluationSpec(
        server="http://dvid",
        segmentation=PinnedInstance(node=NODE, instance="segmentation"),
        groundtruth=PinnedInstance(node=NODE, instance="groundtruth"),
        segmentation_supervoxels=True,
        groundtruth_supervoxels=False,
        counting=Counting(),
        leave_out=(),
        start=(0, 0, 0),
        stop=(9, 9, 9),
        extents=PinnedBox(start=(0, 0, 0), stop=(9, 9, 9)),
        roi=None,
        roi_digest="",
        voxel_size_nm=(8, 8, 8),
        core_vox=(64, 64, 64),
        grayscale=None,
        code="c",
    )
    asked: list[EvaluationParameters] = []
    monkeypatch.setattr(evaluation, "services", lambda: SimpleNamespace(store=store, server="the server"))
    monkeypatch.setattr(library, "pin_evaluation", lambda chosen, _: asked.append(chosen) or spec)
    with running(params=GOOD, run_id="manual__1"):
        returned = evaluation.pin_labelmaps.function()
    assert asked == [EvaluationParameters.model_validate(GOOD)]
    assert returned["dataset"] == "evaluations"
    assert RunFolder(store, "evaluations", returned["run"]).read("evaluation", EvaluationSpec) == spec


def test_parsing_imports_nothing_heavy() -> None:
    """The DAG processor parses again and again: what reads and counts must be imported by the tasks."""
    script = (
        "import runpy, sys; sys.path.append('plugins'); runpy.run_path('dags/evaluate_segmentation.py')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    heavy = {"pyspark", "scipy", "numba", "boto3", "matplotlib", "edt", "pyarrow"}
    assert heavy & set(done.stdout.split()) == set()
