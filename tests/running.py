"""Runs for tests of any room: specs, the real stages in one process, and the main of the Spark jobs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emseg.config import RunSpec
from emseg.config.checks import ImageChecks
from emseg.config.dataset import Output
from emseg.config.gate import GatePolicy
from emseg.config.runspec import PinnedGroundTruth, PinnedSegmentation, PinnedVolume
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.geometry import Box
from emseg.phases import phases
from emseg.phases.run_context import RunContext
from emseg.tasks.jobs import run_stage


def after(run: RunContext[Any], *stages: str) -> RunContext[Any]:
    """The run after these stages, each from start to end in this process."""
    for stage in stages:
        run = run_stage(stage, run, InProcess()).run
    return run


MAIN = Path(__file__).parents[1] / "spark_jobs" / "run_stage.py"
"""The main of every Spark job."""


def spark_job(
    stage: str, dataset: str, run: str, environment: Mapping[str, str], cores: int = 1
) -> subprocess.CompletedProcess[str]:
    """A Spark driver of its own process that does one stage of a run, on `cores` of this computer, to its end."""
    spark = {
        "PYSPARK_SUBMIT_ARGS": f"--master local[{cores}] pyspark-shell",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, MAIN, stage, dataset, run],
        env={**environment, **spark},
        capture_output=True,
        text=True,
        check=False,
    )


def a_spec(bounds: Box, **fields: Any) -> RunSpec:
    """A pinned run over `bounds`, in subvolumes of 64 voxels, that names nothing which exists, with other `fields`."""
    volume = PinnedVolume(
        root="ab",
        node="abcd",
        grayscale="grayscale",
        bounds_start=bounds.start,
        bounds_stop=bounds.stop,
        voxel_size_nm=(8.0, 8.0, 8.0),
        roi=None,
        roi_digest="",
    )
    spec = RunSpec(
        dataset="brain",
        run="run-1",
        volume=volume,
        segmentation=PinnedSegmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20), steps=(), checks=ImageChecks()),
        stitching=Stitching(),
        output=Output(),
        groundtruth=PinnedGroundTruth(node="abcd", instance="groundtruth"),
        gate=GatePolicy(),
        max_failed_share=0.01,
        code=dict.fromkeys((phase.name for phase in phases()), "v1"),
    )
    return spec.model_copy(update=fields)
