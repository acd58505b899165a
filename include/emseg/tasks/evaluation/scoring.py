"""The scores of an evaluation from its tables, with the places where a person looks at the worst bodies."""

from __future__ import annotations

from typing import Any

import numpy as np

from emseg.config.evaluation import EvaluationSpec
from emseg.config.groundtruth import Unassigned
from emseg.engine.items import InProcess
from emseg.evaluate import per_segment
from emseg.links import Layer, neuroglancer_link
from emseg.phases.evaluate.work import Evaluation, read_evaluation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import Findings, View
from emseg.quality.scores import Place, Scores, WorstSubvolume, measured_fields
from emseg.tasks.damage import all_of_it
from emseg.tasks.evaluation.job import EVALUATE, run_evaluation
from emseg.tasks.views import with_views

WORST_SUBVOLUMES = 10


def scored(run: RunContext[DvidServices], spec: EvaluationSpec) -> Scores:
    """The scores of `context_of(spec)`. What was set aside as damaged is counted again first, in this process."""
    with all_of_it((EVALUATE,), run, InProcess()):
        run_evaluation(run, InProcess())
        evaluation = read_evaluation(run)
    unassigned = spec.counting.unassigned
    fields: dict[str, Any] = measured_fields(evaluation.whole, unassigned, evaluation.names)
    findings = with_views(run, fields.pop("findings"), per_segment(evaluation.whole, unassigned))
    return Scores(
        segmentation=str(spec.segmentation),
        groundtruth=str(spec.groundtruth),
        segmentation_supervoxels=spec.segmentation_supervoxels,
        groundtruth_supervoxels=spec.groundtruth_supervoxels,
        server=spec.server,
        start=spec.start,
        stop=spec.stop,
        roi=None if spec.roi is None else str(spec.roi),
        voxel_size_nm=spec.voxel_size_nm,
        counting=spec.counting,
        key=run.keys[EVALUATE],
        findings=findings,
        places=_places(spec, findings),
        subvolumes=_worst_subvolumes(run, evaluation, unassigned),
        link=None if findings.view is None else _link(spec, findings.view),
        **fields,
    )


def _places(spec: EvaluationSpec, findings: Findings) -> tuple[Place, ...]:
    told = zip((*findings.cut, *findings.joining), findings.sentences(), strict=True)
    return tuple(
        Place(
            text=text,
            position_vox=each.view.position_vox if each.view else None,
            link=_link(spec, each.view) if each.view else None,
        )
        for each, text in told
    )


def _link(spec: EvaluationSpec, view: View) -> str:
    segmentation, truth = spec.segmentation, spec.groundtruth
    return neuroglancer_link(
        spec.server,
        None if spec.grayscale is None else Layer(segmentation.node, spec.grayscale),
        Layer(segmentation.node, segmentation.instance, view.segments),
        Layer(truth.node, truth.instance, view.bodies),
        position_vox=view.position_vox,
        span_nm=view.span_nm,
        voxel_size_nm=spec.voxel_size_nm,
    )


def _worst_subvolumes(
    run: RunContext[DvidServices], evaluation: Evaluation, unassigned: Unassigned
) -> tuple[WorstSubvolume, ...]:
    bits = evaluation.parts.vi(unassigned)
    worst = [at for at in np.argsort(-bits, kind="stable").tolist() if bits[at] > 0][:WORST_SUBVOLUMES]
    cores = [run.grid.subvolume_named(evaluation.parts.items[at]).core for at in worst]
    return tuple(
        WorstSubvolume(start=core.start, stop=core.stop, bits=float(bits[at]))
        for core, at in zip(cores, worst, strict=True)
    )
