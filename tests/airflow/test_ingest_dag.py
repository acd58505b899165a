"""The DAG `ingest_volume` without a server: its form, its task `pin`, what it hands on, what parsing costs."""

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
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow.contexts import running
from tests.refusals import refused

from emseg.config.ingestion import IngestParameters, IngestSpec
from emseg.errors import PermanentError
from emseg.store import FolderStore
from emseg.tasks import ingestion as library
from emseg.tasks.run_folder import RunFolder
from emseg_airflow import ingestion

PROJECT = Path(__file__).resolve().parents[2]
NODE = "de30000000000000000000000000de30"
GOOD: dict[str, Any] = {
    "source": "s3://atlas/brain.zarr:s1",
    "node": f"{NODE}:master",
    "instance": "grayscale",
    "kind": "labels",
    "voxel_size_nm": [40, 4, 4.5],
    "offset_vox": [0, 0, 64],
    "window": [-100, 255],
    "max_scale": 4,
    "missing_chunks": "empty",
    "gaps": "blank",
    "overrule_file": True,
}
SPEC = IngestSpec(
    source=GOOD["source"],
    source_digest="d",
    missing_chunks="empty",
    node=NODE,
    instance="grayscale",
    kind="labels",
    shape_vox=(1, 2, 3),
    voxel_size_nm=(40, 4, 4.5),
    offset_vox=(0, 0, 64),
    window=None,
    max_scale=4,
    code="c",
    turn=1,
)


@pytest.fixture
def dag(datasets: Path) -> DAG:
    bag = DagBag(str(PROJECT / "dags"), collect_dags=True)
    assert bag.import_errors == {}
    return bag.dags["ingest_volume"]


def test_a_job_that_writes_to_dvid_follows_the_pin(dag: DAG) -> None:
    assert [(task.task_id, task.downstream_task_ids) for task in dag.tasks] == [("pin", {"ingest"}), ("ingest", set())]
    job = dag.get_task("ingest")
    assert (job.pool, job.retries) == ("dvid_write", 3)
    assert dag.max_active_runs == 1
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(document).params.keys() == set(GOOD)


def test_good_values_pass_and_source_and_node_must_be_given(dag: DAG) -> None:
    """Kills a default node, which would be written to by pressing a button; and a form that lacks a field."""
    for name in ("source", "node"):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve()
    for name, value in GOOD.items():
        assert dag.params.get_param(name).resolve(value) == value
    for name in ("voxel_size_nm", "offset_vox", "window"):
        assert dag.params.get_param(name).resolve(None) is None
    assert set(GOOD) == set(IngestParameters.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", ""),
        ("source", "a\nb"),
        ("node", "master"),
        ("instance", "../gray"),
        ("kind", "roi"),
        ("voxel_size_nm", [4, 4]),
        ("voxel_size_nm", [4, 4, 0]),
        ("offset_vox", [0, 0, -1]),
        ("offset_vox", [0, 0, 0.5]),
        ("window", [0]),
        ("window", [0, 70000]),
        ("max_scale", 5),
        ("missing_chunks", "zeros"),
        ("gaps", "fill"),
    ],
)
def test_a_bad_value_is_refused_by_the_form_and_by_the_task(dag: DAG, name: str, value: Any) -> None:
    """Kills a check that callers of the API pass by."""
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)
    with running(params=GOOD | {name: value}, run_id="manual__1"), refused(PermanentError, name):
        ingestion.pin_source.function()


def test_the_pin_shows_what_was_found_and_hands_on_where_its_spec_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kills a pin that nobody can check, and a spec in Airflow's database."""
    store = FolderStore(tmp_path)
    monkeypatch.setattr(ingestion, "services", lambda: SimpleNamespace(store=store))
    monkeypatch.setattr(library, "pin_ingestion", lambda chosen, _: (SPEC, [("format", f"OME-Zarr, {chosen.kind}")]))
    with running(params=GOOD, run_id="manual__1"), caplog.at_level(logging.INFO):
        returned = ingestion.pin_source.function()
    assert returned["dataset"] == "ingestions"
    assert RunFolder(store, "ingestions", returned["run"]).read("ingestion", IngestSpec) == SPEC
    assert "OME-Zarr, labels" in caplog.text


def test_parsing_imports_nothing_heavy() -> None:
    """The DAG processor parses again and again: what opens volumes must be imported by the task."""
    script = (
        "import runpy, sys; sys.path.append('plugins'); runpy.run_path('dags/ingest_volume.py'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert {"tensorstore", "h5py", "numba", "boto3", "tifffile"} & set(done.stdout.split()) == set()
