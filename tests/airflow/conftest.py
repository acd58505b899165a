"""Airflow without a server: a home folder of this session, and the plugins on the import path as Airflow puts them.

Set when pytest loads this file, because Airflow reads both when it is first imported.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HOME = tempfile.TemporaryDirectory(prefix="emseg-airflow-home-")

os.environ["AIRFLOW_HOME"] = HOME.name
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(PROJECT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PROJECT / "plugins")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
sys.path.append(str(PROJECT / "plugins"))


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two dataset files, `by-hand` and `nightly` (every night at two)."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    for name, schedule in (("by-hand", "null"), ("nightly", "'0 2 * * *'")):
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\ndescription: a test volume\nschedule: {schedule}\n"
            "volume: {node: de30000000000000000000000000de30, groundtruth: {instance: groundtruth}}\n"
        )
    monkeypatch.setenv("EMSEG_DATASETS", str(folder))
    return folder
