"""The job of an evaluation: phase `evaluate`, with the items, keys and markers that it has in any run."""

from __future__ import annotations

from collections.abc import Callable

from emseg.config import RunSpec
from emseg.config.base import EVALUATIONS
from emseg.config.checks import ImageChecks
from emseg.config.dataset import Output
from emseg.config.evaluation import EvaluationSpec
from emseg.config.gate import GatePolicy
from emseg.config.runspec import PinnedGroundTruth, PinnedSegmentation, PinnedVolume, TwoLabelmaps
from emseg.config.stitching import Stitching
from emseg.engine.items import StageExecutor
from emseg.engine.report import StageReport
from emseg.errors import PermanentError
from emseg.phases import phase_named
from emseg.phases.code_version import code_version
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.tasks.jobs import run_phases

EVALUATE = "evaluate"
"""The stage and its phase. In the store `EVALUATIONS` stands where the name of a dataset stands."""


def run_evaluation(run: RunContext[DvidServices], executor: StageExecutor) -> StageReport:
    """Count what has no marker; a report of one phase. PermanentError where the code is not that of the pin."""
    if run.spec.code[EVALUATE] != code_version(phase_named(EVALUATE)):
        raise PermanentError(
            "starting an evaluation",
            f"{run.keys['write']}:{run.spec.output.instance}",
            "the code here is not the code that it was pinned with",
            "Clear the task `pin` to go on with this code, or deploy one version everywhere",
        )
    return run_phases(EVALUATE, (phase_named(EVALUATE),), run, executor).report


def context_of(
    spec: EvaluationSpec, attempt: str, open_services: Callable[[], DvidServices]
) -> RunContext[DvidServices]:
    """The evaluation as a run whose phase `write` has left the segmentation: its UUID stands for the key of `write`."""
    return RunContext(_as_run(spec), attempt, open_services, known={"write": spec.segmentation.node})


def _as_run(spec: EvaluationSpec) -> RunSpec:
    return RunSpec(
        dataset=EVALUATIONS,
        run="",
        volume=PinnedVolume(
            root="",
            node=spec.segmentation.node if spec.roi is None else spec.roi.node,
            grayscale=spec.grayscale or "grayscale",
            bounds_start=spec.start,
            bounds_stop=spec.stop,
            voxel_size_nm=spec.voxel_size_nm,
            roi=None if spec.roi is None else spec.roi.instance,
            roi_digest=spec.roi_digest,
        ),
        segmentation=PinnedSegmentation(core_vox=spec.core_vox, halo_vox=(0, 0, 0), steps=(), checks=ImageChecks()),
        stitching=Stitching(),
        output=Output(instance=spec.segmentation.instance),
        groundtruth=PinnedGroundTruth(
            node=spec.groundtruth.node,
            instance=spec.groundtruth.instance,
            excluded=spec.leave_out,
            **dict(spec.counting),
        ),
        two_labelmaps=TwoLabelmaps(
            segmentation_supervoxels=spec.segmentation_supervoxels,
            groundtruth_supervoxels=spec.groundtruth_supervoxels,
            extents=spec.extents,
        ),
        gate=GatePolicy(),
        max_failed_share=0.0,
        code={EVALUATE: spec.code},
    )
