"""What Spark shows of a driver to everybody who opens its page, with secrets in the driver's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = """
import sys, urllib.request
from run_stage import SparkExecutor
executor = SparkExecutor("emseg segment demo run-1")
context = executor._started()
page = context.uiWebUrl
for path in ("/environment/", f"/api/v1/applications/{context.applicationId}/environment", "/executors/", "/jobs/"):
    print(urllib.request.urlopen(page + path, timeout=60).read().decode())
executor.stop()
"""
SECRETS = ("EMSEG_DVID_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@pytest.mark.spark
def test_the_pages_of_a_driver_show_nothing_of_its_environment():
    """Kills keys handed on as `spark.executorEnv.*` or as Java options: the page shows all settings but a few names."""
    environment = {
        **os.environ,
        **{name: f"canary-{name}" for name in SECRETS},
        "PYTHONPATH": str(PROJECT / "spark_jobs"),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [sys.executable, "-c", PAGES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "emseg segment demo run-1" in done.stdout
    assert "spark.app.name" in done.stdout
    assert "canary" not in done.stdout + done.stderr
