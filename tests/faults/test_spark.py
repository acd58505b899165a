"""Spark that loses executors and workers, runs tasks twice, or has another number of cores: the bytes are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.faults.conftest import PATIENCE_S, FaultRun, FaultStack
from tests.running import MAIN

pytestmark = [pytest.mark.services, pytest.mark.spark, pytest.mark.long]

Figure = Callable[[str], None]

SUBMIT = Path(sys.executable).with_name("spark-submit")


@pytest.mark.fault("F2")
@pytest.mark.parametrize("victim", ["CoarseGrainedExecutorBackend", "pyspark.daemon"])
def test_spark_goes_on_without_an_executor_or_a_python_worker_that_was_killed(
    faults: FaultStack, undisturbed: dict[str, str], figure: Figure, victim: str
):
    """Kills work that lives in an executor: what it had not committed must be done by another."""
    run = faults.run()
    driver = _submit(run, "segment", "local-cluster[2,1,1024]")
    killed = _kill_one(driver, victim, run)
    said, _ = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, said[-3000:]
    assert killed, f"no {victim} was seen at work"
    assert _segmented(run) == undisturbed["segment"]
    figure(f"{victim.rsplit('.', maxsplit=1)[-1]} killed at work: the stage succeeds, same bytes")


@pytest.mark.fault("F27")
@pytest.mark.parametrize("master", ["local[1]", "local[4]"])
def test_speculation_and_the_number_of_cores_change_no_byte(
    faults: FaultStack, undisturbed: dict[str, str], figure: Figure, master: str
):
    """Kills results that depend on the order of tasks, or on an item being computed once."""
    run = faults.run()
    speculation = {"speculation": "true", "speculation.quantile": "0.1", "speculation.multiplier": "1.01"}
    settings = [f"--conf=spark.{name}={value}" for name, value in speculation.items()]
    for stage in ("segment", "stitch", "evaluate"):
        driver = _submit(run, stage, master, *settings)
        said, _ = driver.communicate(timeout=PATIENCE_S)
        assert driver.returncode == 0, said[-3000:]
    assert run.digests() == undisturbed
    figure(f"{master} with speculation: same bytes in all phases")


def _submit(run: FaultRun, stage: str, master: str, *options: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        **run.stack.environment(),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PATH": os.pathsep.join([str(SUBMIT.parent), os.environ["PATH"]]),
    }
    command = [str(SUBMIT), "--master", master, "--conf=spark.ui.enabled=false", *options]
    command += [str(MAIN), stage, run.folder.dataset, run.folder.run]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _kill_one(driver: subprocess.Popen[str], victim: str, run: FaultRun) -> bool:
    """Kill one process below the driver whose command names `victim`, once the first item is committed."""
    deadline = time.monotonic() + PATIENCE_S
    while driver.poll() is None and time.monotonic() < deadline:
        if run.context().folder("segment").done_items():
            found = [
                process
                for process in psutil.Process(driver.pid).children(recursive=True)
                if any(victim in word for word in process.cmdline())
            ]
            if found:
                os.kill(found[-1].pid, signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def _segmented(run: FaultRun) -> str:
    marker = run.context().folder("segment").phase_marker()
    assert marker is not None
    return marker.content_digest
