"""The labelmaps of a run in DVID: the one it writes, what that one inherits, and the ground truth."""

from __future__ import annotations

from emseg.dvid import Labelmap
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices


def segmentation_uuid(run: RunContext[DvidServices]) -> str:
    """UUID of the DVID node that holds the segmentation: the key of `write`, so that a retry finds it again."""
    return run.keys["write"]


def branch_name(run: RunContext[DvidServices]) -> str:
    """Name of the run's own branch."""
    return f"emseg-{run.keys['write'][:16]}"


def segmentation(run: RunContext[DvidServices]) -> Labelmap:
    """The labelmap that the run writes, on its own branch."""
    return run.open_services().labelmap(segmentation_uuid(run), run.spec.output.instance)


def inherited(run: RunContext[DvidServices]) -> Labelmap:
    """The output instance as the segmented (locked) version has it: the labels that the run inherits."""
    return run.open_services().inherited(run.spec)


def groundtruth(run: RunContext[DvidServices]) -> Labelmap:
    """The labelmap to measure against."""
    return run.open_services().labelmap(run.spec.groundtruth.node, run.spec.groundtruth.instance)
