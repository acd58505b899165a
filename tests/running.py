"""Runs of the real stages in one process, for tests of any room."""

from __future__ import annotations

from typing import Any

from emseg.engine.items import InProcess
from emseg.phases.run_context import RunContext
from emseg.tasks.jobs import run_stage


def after(run: RunContext[Any], *stages: str) -> RunContext[Any]:
    """The run after these stages, each from start to end in this process."""
    for stage in stages:
        run = run_stage(stage, run, InProcess()).run
    return run
