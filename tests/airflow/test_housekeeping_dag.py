"""The DAG `housekeeping` without a server: its form, what its tasks do, and the command for Airflow's tables."""

from __future__ import annotations

import json
import logging
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow.contexts import running
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.store import FolderStore
from emseg.tasks.tidy.references import IN_FLIGHT
from emseg_airflow import housekeeping
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.pipeline import JOB_TIMEOUT, RETRIES

PROJECT = Path(__file__).resolve().parents[2]
GUIDE = PROJECT / "docs" / "housekeeping.md"
LEFT = "brain/phases/match/0123/attempt-dead/sv-00000000/votes"
FORM = {"dataset": None, "keep_runs": 1, "older_than_days": 0, "apply": False}


@pytest.fixture
def dag(datasets: Path) -> DAG:
    bag = DagBag(str(PROJECT / "dags"), collect_dags=True)
    assert bag.import_errors == {}
    return bag.dags["housekeeping"]


def test_a_new_deployment_removes_nothing_by_itself(dag: DAG) -> None:
    """Kills a weekly removal that nobody asked for: paused at first, and a dry run where it is not."""
    assert dag.is_paused_upon_creation
    assert (dag.schedule, dag.catchup, dag.max_active_runs) == ("@weekly", False, 1)
    assert dag.params.get_param("apply").resolve() is False


def test_the_tasks_form_one_line_and_a_person_finds_them_in_the_guide(dag: DAG) -> None:
    """Kills a removal that does not wait for the dry run."""
    line = ["look", "unless_only_looking", "sweep"]
    edges = {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}
    assert edges == set(pairwise(line))
    assert dag.doc_md == GUIDE.read_text()
    assert all(f"| `{task.task_id}` |" in dag.doc_md for task in dag.tasks)
    assert all(isinstance(task.on_failure_callback[0], EmsegNotifier) for task in dag.tasks)


def test_the_dag_survives_the_way_through_airflows_database(dag: DAG) -> None:
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(document).params.keys() == set(FORM)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dataset", "other"), ("keep_runs", -1), ("keep_runs", 1.5), ("older_than_days", -1), ("apply", "yes")],
)
def test_a_bad_value_is_refused_by_the_form(dag: DAG, name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


def test_good_values_pass(dag: DAG) -> None:
    for name, value in {**FORM, "dataset": "by-hand", "older_than_days": 0.5}.items():
        assert dag.params.get_param(name).resolve(value) == value
    assert dag.params.get_param("dataset").resolve(None) is None


def test_a_run_that_all_its_tries_keep_busy_is_not_taken_for_over() -> None:
    """Kills a grace that is shorter than the pause between two documents of a run."""
    assert (RETRIES + 1) * JOB_TIMEOUT < IN_FLIGHT


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """What the tasks work on: an artefact that nobody names."""
    store = FolderStore(tmp_path / "store")
    store.put(LEFT, b"votes")
    monkeypatch.setattr(housekeeping, "services", lambda: SimpleNamespace(store=store, server=None))
    return store


def test_the_dry_run_shows_and_the_removal_removes(store: FolderStore, caplog: pytest.LogCaptureFixture) -> None:
    """Kills a `look` that removes, and a `sweep` that only looks."""
    with running(params=FORM), caplog.at_level(logging.INFO):
        assert housekeeping.look.function() == {"objects": 1, "bytes": 5}
        assert not housekeeping.unless_only_looking.function()
    assert "| brain | phase match | 1 | 1 |" in caplog.text
    assert store.exists(LEFT)
    with running(params=FORM | {"apply": True}):
        assert housekeeping.unless_only_looking.function()
        assert housekeeping.sweep.function() == {"objects": 1, "bytes": 5}
    assert not store.exists(LEFT)


def test_the_policy_of_the_form_is_the_one_that_counts(store: FolderStore) -> None:
    """Kills defaults that overrule the form, and a dataset that is shown and not used."""
    for changed in ({"older_than_days": 1}, {"dataset": "other"}):
        with running(params=FORM | {"apply": True} | changed):
            assert housekeeping.sweep.function() == {"objects": 0, "bytes": 0}
    assert store.exists(LEFT)


def test_a_misspelt_choice_of_an_api_call_is_refused(store: FolderStore) -> None:
    """Kills `older_than_dayz: 3650`, which would remove what is younger than that."""
    with running(params=FORM | {"apply": True, "older_than_dayz": 3650}), refused(PermanentError, "older_than_dayz"):
        housekeeping.sweep.function()
    assert store.exists(LEFT)


def test_what_is_left_alone_fails_the_last_task_and_keeps_nothing_else_back(store: FolderStore) -> None:
    """Kills a damaged dataset that stops the housekeeping of all others, and one that nobody hears of."""
    store.put("damaged/releases/by-number/00000001.json", b"{")
    with running(params=FORM), refused(PermanentError, "damaged"):
        housekeeping.look.function()
    with running(params=FORM | {"apply": True}):
        housekeeping.look.function()
        with refused(PermanentError, "damaged"):
            housekeeping.sweep.function()
    assert not store.exists(LEFT)


def test_the_command_for_airflows_own_tables_is_one_that_airflow_takes() -> None:
    """Kills an option that Airflow has renamed. Nothing is run: the parser of the installed Airflow reads it."""
    lines = re.findall(r"^    (airflow db clean .*)$", GUIDE.read_text(), re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(re.sub(r"\$\([^)]*\)", "2026-01-01", line))
        read = get_parser().parse_args(words[1:])
        assert read.clean_before_timestamp.year == 2026
        assert read.dry_run != read.yes


def test_parsing_imports_nothing_heavy() -> None:
    heavy = {"scipy", "numba", "pandas", "boto3", "matplotlib", "skimage", "great_expectations", "pyarrow"}
    script = (
        "import runpy, sys; sys.path.append('plugins'); runpy.run_path('dags/housekeeping.py'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()
