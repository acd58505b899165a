"""`emseg run`, `status` and `rollback` on the real servers, as an operator calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.services

EMSEG = Path(sys.executable).parent / "emseg"


@pytest.fixture
def emseg(devstack, dataset_files, volume):
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        services = {**devstack.environment(), "EMSEG_S3_PREFIX": "operators", "EMSEG_DATASETS": str(dataset_files)}
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "COLUMNS": "200", **services}
        return subprocess.run(
            [EMSEG, *map(str, words)], capture_output=True, text=True, env=environment, timeout=300, check=False
        )

    return run


def test_a_dataset_is_run_published_and_rolled_back_from_the_command_line(emseg):
    """Kills commands that only work inside Airflow, and a rollback that loses the later release."""
    assert "nothing published yet" in emseg("status", "operators").stdout
    planned = emseg("plan", "operators")
    assert planned.returncode == 0, planned.stderr
    assert "18 subvolumes" in planned.stdout

    first = emseg("run", "operators", "--publish")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "release 1" in first.stdout
    refused = emseg("run", "operators", "--stitch", "none", "--publish")
    assert refused.returncode == 1
    assert "VI split of the volume" in refused.stdout
    assert "segment: 0 items done, 18 reused" in refused.stdout

    status = emseg("status", "operators")
    assert status.returncode == 0, status.stderr
    assert "served" in status.stdout
    assert "neuroglancer" in status.stdout
    unknown = emseg("rollback", "operators", 7)
    assert unknown.returncode == 64
    assert "release 7" in unknown.stderr
    again = emseg("rollback", "operators", 1)
    assert "release 1 serves" in again.stdout
