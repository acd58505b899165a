"""The DAG files as Airflow sees them: without a server, a database or any service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, RetryAction
from airflow.serialization.serialized_objects import DagSerialization

from emseg.errors import IntegrityError, PermanentError, StepError, TransientError
from emseg.phases import stages

PROJECT = Path(__file__).resolve().parents[2]
LINE = ["pin", "plan", "unless_dry_run", *(stage.name for stage in stages()), "gate", "approve", "publish"]


def parsed() -> DagBag:
    return DagBag(str(PROJECT / "dags"), collect_dags=True)


@pytest.fixture
def bag(datasets: Path) -> DagBag:
    return parsed()


@pytest.fixture(params=["segment_volume", "segment_volume_nightly"])
def dag(bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    return bag.dags[request.param]


def test_every_dag_file_is_imported_and_only_scheduled_datasets_get_a_dag_of_their_own(bag: DagBag) -> None:
    """Kills a scheduled DAG for a dataset without a schedule, and a generic DAG with one."""
    assert bag.import_errors == {}
    assert {d.dag_id: d.schedule for d in bag.dags.values()} == {
        "housekeeping": "@weekly",
        "segment_volume": None,
        "segment_volume_nightly": "0 2 * * *",
        "train_model": None,
        "evaluate_segmentation": None,
        "ingest_volume": None,
        "roll_back": None,
    }


def test_the_dataset_files_of_the_project_are_all_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMSEG_DATASETS", raising=False)
    assert parsed().import_errors == {}


def test_a_dag_file_loads_no_client_of_kubernetes_until_the_hook_uses_it() -> None:
    """Kills three seconds of CPU in each task and each parse, and a hook that cannot find its client any more."""
    script = """
import sys
from airflow.dag_processing.dagbag import DagBag
assert "segment_volume" in DagBag(sys.argv[1], collect_dags=True).dags
assert not {"kubernetes", "kubernetes_asyncio"} & set(sys.modules)
from airflow.providers.apache.spark.hooks import spark_submit
assert issubclass(spark_submit.kube_client.ApiException, Exception)
assert callable(spark_submit.kube_client.get_kube_client)
assert "kubernetes" in sys.modules
"""
    command = [sys.executable, "-c", script, str(PROJECT / "dags" / "segment_volume.py")]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_broken_dataset_file_is_an_import_error_that_leaves_the_dag_for_all_datasets(datasets: Path) -> None:
    """Kills reading the files where only their names are needed, and swallowing the error."""
    (datasets / "broken.yaml").write_text("name: broken\ndescription: no volume\n")
    bag = parsed()
    assert set(bag.dags) == {
        "evaluate_segmentation",
        "housekeeping",
        "ingest_volume",
        "roll_back",
        "segment_volume",
        "train_model",
    }
    assert {Path(file).name for file in bag.import_errors} == {"segment_volume_scheduled.py", "watch_quality.py"}
    for message in bag.import_errors.values():
        assert "broken.yaml" in message
        assert "volume" in message


def test_the_tasks_form_one_line(dag: DAG) -> None:
    """Kills a forgotten edge (publish beside the gate), and edges from `pin` to every task that reads its ids."""
    assert sorted(dag.task_ids) == sorted(LINE)
    edges = {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}
    assert edges == set(pairwise(LINE))


def test_pools_limit_who_reads_from_and_writes_to_dvid(dag: DAG) -> None:
    pools = {task.task_id: task.pool for task in dag.tasks if task.pool != "default_pool"}
    assert pools == {"segment": "dvid_read", "evaluate": "dvid_read", "stitch": "dvid_write", "publish": "dvid_write"}


def test_a_run_that_waits_for_a_person_or_for_another_dataset_holds_no_other(dag: DAG) -> None:
    """Kills a form that nobody can use while one question is open, and datasets that take turns with each other.

    That runs of one dataset take turns is shown in test_cluster_mode.py: it is asked of the store, not of the DAG.
    """
    assert dag.max_active_runs > 1
    assert {task.max_active_tis_per_dag for task in dag.tasks} == {None}
    assert not dag.catchup
    assert "emseg" in dag.tags


def test_every_task_retries_with_growing_pauses_and_ends_in_time(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.retries == 3
        assert task.retry_delay == timedelta(seconds=60)
        assert task.retry_exponential_backoff > 1
        # A person who is asked may take days; Airflow would stop the question with the time limit of the task.
        assert task.task_id == "approve" or timedelta() < task.execution_timeout <= timedelta(days=2)


def test_the_first_pause_is_a_setting_of_the_deployment(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMSEG_RETRY_DELAY_S", "1.5")
    delays = {task.retry_delay for dag in parsed().dags.values() for task in dag.tasks}
    assert delays == {timedelta(seconds=1.5)}


@pytest.mark.parametrize("kind", [PermanentError, StepError])
def test_no_task_repeats_what_cannot_succeed(dag: DAG, kind: type[PermanentError]) -> None:
    """Kills three hours of retries for a typing error, in any task; StepError shows that subclasses count."""
    error = kind("doing", "on", "found", "remedy")
    assert {task.retry_policy.evaluate(error, 1, 3).action for task in dag.tasks} == {RetryAction.FAIL}


@pytest.mark.parametrize(
    "error",
    [TransientError("d", "o", "f", "r"), IntegrityError("d", "o", "f", "r"), ConnectionError(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_every_other_error_is_left_to_the_retries(dag: DAG, error: Exception) -> None:
    assert {task.retry_policy.evaluate(error, 1, 3).action for task in dag.tasks} == {RetryAction.DEFAULT}


def test_people_find_the_runbook_on_the_dag_and_a_text_on_each_task(dag: DAG) -> None:
    assert dag.doc_md == (PROJECT / "docs" / "runbook.md").read_text()
    for task in dag.tasks:
        assert len(task.doc_md) > 40
        assert f"| `{task.task_id}` |" in dag.doc_md


def test_a_dag_survives_the_way_through_airflows_database(dag: DAG) -> None:
    """Kills a retry policy, a notifier or a Param that cannot be serialised: such a DAG never runs."""
    document = DagSerialization.to_dict(dag)
    assert sorted(DagSerialization.from_dict(json.loads(json.dumps(document))).task_ids) == sorted(LINE)


def test_a_file_that_is_parsed_again_gives_the_same_dag(bag: DagBag) -> None:
    """Kills a new version of each DAG every half minute, when Airflow parses; that of tests/pipeline parses once."""
    again = parsed()
    assert {name: DagSerialization.to_dict(dag) for name, dag in again.dags.items()} == {
        name: DagSerialization.to_dict(dag) for name, dag in bag.dags.items()
    }


def test_parsing_imports_nothing_heavy() -> None:
    """The DAG processor parses again and again; what only tasks need must be imported by tasks."""
    heavy = {
        "pyspark",
        "scipy",
        "great_expectations",
        "numba",
        "boto3",
        "pandas",
        "matplotlib",
        "skimage",
        "h5py",
        "zarr",
    }
    script = (
        "import runpy, sys; sys.path.append('plugins')\n"
        "runpy.run_path('dags/segment_volume.py'); runpy.run_path('dags/segment_volume_scheduled.py')\n"
        "runpy.run_path('dags/watch_quality.py')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()


def test_airflow_does_not_load_the_library_of_the_plugins_folder_as_plugins(bag: DagBag) -> None:
    """It would load each file under its bare name: `plugins/emseg_airflow/tasks.py` as a second module `tasks`."""
    from airflow._shared.module_loading import find_path_from_directory

    found = [Path(path).name for path in find_path_from_directory(PROJECT / "plugins", ".airflowignore")]
    assert [name for name in found if name.endswith(".py")] == ["emseg_plugin.py"]
