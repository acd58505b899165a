"""The labelmaps of a run in DVID: the one it writes, what that one inherits, the ground truth, the served release."""

from __future__ import annotations

from dataclasses import replace

from emseg.array_types import Labels64
from emseg.config.runspec import PinnedGroundTruth
from emseg.dvid import Labelmap
from emseg.errors import PermanentError
from emseg.geometry import Box, checked_labels
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

    None where nothing is served or compared, where there is no ground truth, or for a release of another volume, whose
    voxels are not those of this one.
    """
    served = run.spec.served
    is_compared = run.spec.groundtruth is not None and run.spec.gate.measures_served
    if served is None or served.root != run.spec.volume.root or not is_compared:
        return None
    output = run.spec.output.model_copy(update={"instance": served.instance})
    return replace(
        run, spec=run.spec.model_copy(update={"output": output}), known={"write": served.fingerprint}, given_up={}
    )


def groundtruth(run: RunContext[DvidServices]) -> Labelmap:
    """The labelmap to measure against."""
    wanted = measured_on(run)
    return run.open_services().labelmap(wanted.node, wanted.instance)


def measured_on(run: RunContext[DvidServices]) -> PinnedGroundTruth:
    """The ground truth of a run; PermanentError where its dataset has none."""
    if run.spec.groundtruth is None:
        raise PermanentError(
            "measuring against ground truth",
            f"dataset {run.spec.dataset}, run {run.spec.run}",
            "its dataset file says `groundtruth: none`",
            "Name a ground truth in the dataset file, or look at what was counted over all of the volume",
        )
    return run.spec.groundtruth


def segmentation_labels(run: RunContext[DvidServices], box: Box, scale: int) -> Labels64:
    """What is measured in a box of voxels of `scale`: bodies, or supervoxels where the run says so.

    PermanentError for labels of another program that `checked_labels` refuses: a mark "outside" would be a huge body.
    """
    two = run.spec.two_labelmaps
    labels = segmentation(run).read(box, two is not None and two.segmentation_supervoxels, scale)
    if two is not None:
        name = f"{run.spec.output.instance}, voxels {box.start} to {box.stop} of scale {scale}"
        checked_labels(labels, "reading the segmentation", name)
    return labels


def groundtruth_labels(run: RunContext[DvidServices], box: Box, scale: int) -> Labels64:
    """What is measured against in a box of voxels of `scale`: bodies, or supervoxels where the run says so."""
    two = run.spec.two_labelmaps
    return groundtruth(run).read(box, two is not None and two.groundtruth_supervoxels, scale)
