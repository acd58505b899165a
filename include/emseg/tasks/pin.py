"""Task `pin`: a dataset file and a person's choices in, a RunSpec out, with every reference checked and pinned.

This is where bad input is refused, before anything is submitted or written.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

import numpy as np

from emseg.config import Dataset, PipelineConfig, RunParameters, RunSpec, load_dataset
from emseg.config.dataset import Segmentation
from emseg.config.runspec import PinnedBox, PinnedSegmentation, PinnedVolume
from emseg.dvid import DvidServer, Labelmap, Node, indexed_labels, repo_info
from emseg.errors import PermanentError
from emseg.geometry import Coordinate, Grid, Roi, VoxelSize, selected_cells
from emseg.phases import stages
from emseg.phases.edits import EditSource, no_edits
from emseg.phases.evaluate.figures import optional_figures_of
from emseg.phases.keys import code_versions, phase_keys
from emseg.phases.run_context import grid_of
from emseg.segment import ModelSource, Pipeline, StepKind, preset, with_model, without_models
from emseg.segment.model import dvid_source
from emseg.segment.registry import checked_parameters
from emseg.tasks.pinned_figures import check_figures, pinned_metrics
from emseg.tasks.pinned_volume import DOING, check_output, pinned_groundtruth, pinned_volume
from emseg.tasks.served import ServedSource, check_served, nothing_served


def pin_run(
    parameters: RunParameters,
    run: str,
    datasets: Path,
    server: DvidServer,
    models: ModelSource = without_models,
    edits: EditSource = no_edits,
    served: ServedSource = nothing_served,
) -> RunSpec:
    """The pinned spec of a run; PermanentError names field, value and remedy of whatever cannot work."""
    own = load_dataset(datasets, parameters.dataset)
    dataset = parameters.applied_to(own)
    checked_steps(dataset.segmentation)  # before anything is asked
    _check_stages(dataset)
    volume, roi = pinned_volume(dataset, server)
    if parameters.node is not None:
        _check_repo(own.volume.node, volume, server)
    segmentation = pinned_segmentation(dataset.segmentation, volume.voxel_size_nm, models)
    spec = RunSpec(
        dataset=dataset.name,
        run=run,
        volume=volume,
        segmentation=segmentation,
        stitching=dataset.stitching,
        output=dataset.output,
        groundtruth=pinned_groundtruth(dataset, volume, server, seen(segmentation, volume, models)),
        metrics=pinned_metrics(dataset),
        served=served(dataset.name),
        gate=dataset.gate,
        max_failed_share=dataset.limits.max_failed_share,
        publication=dataset.publication,
        approvers=dataset.approvers,
        spark=dataset.spark,
        code=code_versions(),
    )
    spec = spec.model_copy(update={"edits": edits(spec.dataset, phase_keys(spec)["segment"])})
    check_figures(dataset, optional_figures_of(spec))
    check_output(spec, server)
    check_served(spec, server)
    _check_preserved(spec, server)
    _check_size(dataset, grid_of(spec), roi)
    _check_memory(dataset, spec, models)
    return spec


def checked_steps(segmentation: Segmentation) -> PipelineConfig:
    """The steps, each with its model; PermanentError for an unknown preset, step, parameter, or a model not named."""
    config = with_model(segmentation.pipeline or preset(segmentation.preset), segmentation.model)
    for kind in StepKind:
        step = getattr(config, kind.value)
        if step is not None:
            checked_parameters(kind, step)
    return config


def pinned_segmentation(
    segmentation: Segmentation, voxel_size_nm: VoxelSize, models: ModelSource
) -> PinnedSegmentation:
    """Grid and steps with versions and all parameters; refuses thin halos."""
    pipeline = Pipeline(checked_steps(segmentation), voxel_size_nm, models, segmentation.checks)
    halo_vox = segmentation.halo_vox or pipeline.halo_vox
    if not Coordinate.of(pipeline.halo_vox).is_within(halo_vox):
        raise PermanentError(
            DOING,
            f"segmentation.halo_vox = {segmentation.halo_vox}",
            f"the steps need a halo of {pipeline.halo_vox} voxels to give the same result on both sides of a face",
            f"Use at least {pipeline.halo_vox}, or leave halo_vox out",
        )
    return PinnedSegmentation(
        core_vox=segmentation.core_vox, halo_vox=halo_vox, steps=pipeline.pinned, checks=segmentation.checks
    )


def _check_stages(dataset: Dataset) -> None:
    """Resources are given to stages that there are."""
    known = [stage.name for stage in stages()]
    for name in sorted(dataset.spark.keys() - set(known)):
        remedy = f"Stages with a Spark job: {', '.join(known)}"
        raise PermanentError(DOING, f"spark.{name}", "no stage has this name", remedy)


def _check_repo(own: str, volume: PinnedVolume, server: DvidServer) -> None:
    """A run chooses among the versions of its dataset's volume: another volume would be published under its name."""
    root = repo_info(server, own.partition(":")[0]).root
    if root != volume.root:
        raise PermanentError(
            DOING,
            f"node = {volume.node}",
            f"it is a version of the repository {volume.root}, and the dataset is about {root}",
            "Choose a version of the dataset's own repository, or write a dataset file for the other one",
        )


def seen(segmentation: PinnedSegmentation, volume: PinnedVolume, models: ModelSource) -> tuple[PinnedBox, ...]:
    """The boxes of this grayscale that the models of the run were trained on."""
    source = dvid_source(volume.root, volume.grayscale)
    digests = sorted({step.model for step in segmentation.steps if step.model is not None})
    records = [training for digest in digests if (training := models(digest).description.training) is not None]
    regions = [region for record in records for region in record.regions if region.source == source]
    return tuple(PinnedBox(start=region.start, stop=region.stop) for region in regions)


def _check_preserved(spec: RunSpec, server: DvidServer) -> None:
    """Bodies can be preserved only where the instance has them in the version that is segmented."""
    name, node = spec.output.instance, Node(server, spec.volume.node)
    bodies = np.array(spec.output.preserve_bodies, np.uint64)
    known = indexed_labels(Labelmap(node, name)) if len(bodies) and node.has(name) else bodies[:0]
    unknown = np.setdiff1d(bodies, known).tolist()
    if unknown:
        raise PermanentError(
            DOING,
            f"output.preserve_bodies = {', '.join(map(str, unknown[:5]))}{', ...' if len(unknown) > 5 else ''}",
            f"{len(unknown)} of {len(bodies)} are no body of {name!r} in version {node.uuid}",
            "Name bodies that the output instance has in this very version; a supervoxel or an older name is none",
        )


def _check_memory(dataset: Dataset, spec: RunSpec, models: ModelSource) -> None:
    """What the steps declare, times the voxels of the largest padded subvolume."""
    pipeline = Pipeline.from_pinned(spec.segmentation, spec.volume.voxel_size_nm, models)
    padded = Coordinate.of(spec.segmentation.halo_vox) * 2 + spec.segmentation.core_vox
    voxels = padded.minimum(spec.volume.bounds.shape).product
    needed_mb = ceil(voxels * pipeline.bytes_per_voxel / 2**20)
    if needed_mb > dataset.limits.max_task_memory_mb:
        raise PermanentError(
            DOING,
            f"limits.max_task_memory_mb = {dataset.limits.max_task_memory_mb}",
            f"a task needs {needed_mb} MiB: {voxels} voxels of core and halo, {pipeline.bytes_per_voxel} bytes each",
            "Use smaller cores or raise the limit",
        )


def _check_size(dataset: Dataset, grid: Grid, roi: Roi | None) -> None:
    cells = len(selected_cells(grid, roi))
    limits = dataset.limits
    for name, found, cap in (
        ("max_subvolumes", cells, limits.max_subvolumes),
        ("max_voxels", cells * grid.core_vox.product, limits.max_voxels),
    ):
        if found > cap:
            raise PermanentError(
                DOING,
                f"limits.{name} = {cap}",
                f"the run would take {found}",
                "Use a ROI, larger cores or raise the limit",
            )
