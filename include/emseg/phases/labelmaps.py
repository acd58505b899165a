"""The labelmaps of a run in DVID: the one it writes, what that one inherits, the ground truth, the served release."""

from __future__ import annotations

from dataclasses import replace

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


def of_served(run: RunContext[DvidServices]) -> RunContext[DvidServices] | None:
    """The run as if it had written the release that it is compared with; only `evaluate` may be asked for.

    None where nothing is served or compared, or a release of another volume, whose voxels are not those of this one.
    """
    served = run.spec.served
    if served is None or served.root != run.spec.volume.root or not run.spec.gate.regression.compares:
        return None
    output = run.spec.output.model_copy(update={"instance": served.instance})
    return replace(
        run, spec=run.spec.model_copy(update={"output": output}), known={"write": served.fingerprint}, given_up={}
    )


def groundtruth(run: RunContext[DvidServices]) -> Labelmap:
    """The labelmap to measure against."""
    return run.open_services().labelmap(run.spec.groundtruth.node, run.spec.groundtruth.instance)
