"""Task `pin`: a dataset file and a person's choices in, a RunSpec out, with every reference checked and pinned.

This is where bad input is refused, before anything is submitted or written.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

import numpy as np

from emseg.config import Dataset, RunParameters, RunSpec, load_dataset
from emseg.config.dataset import Segmentation
from emseg.config.runspec import PinnedBox, PinnedGroundTruth, PinnedSegmentation, PinnedVolume
from emseg.dvid import (
    BLOCK_VOX,
    DvidServer,
    Grayscale,
    Labelmap,
    Node,
    NodeInfo,
    NotFoundError,
    RepoInfo,
    RoiInstance,
    indexed_labels,
    repo_info,
    resolve_locked_node,
)
from emseg.dvid.labels.inherited import require_whole_bodies
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate, Grid, Roi, selected_cells
from emseg.phases.edits import EditSource, no_edits
from emseg.phases.keys import code_versions, phase_keys
from emseg.phases.run_context import grid_of
from emseg.segment import ModelSource, Pipeline, preset, with_model, without_models
from emseg.segment.model import dvid_source

DOING = "pinning the run"


def pin_run(
    parameters: RunParameters,
    run: str,
    datasets: Path,
    server: DvidServer,
    models: ModelSource = without_models,
    edits: EditSource = no_edits,
) -> RunSpec:
    """The pinned spec of a run; PermanentError names field, value and remedy of whatever cannot work."""
    own = load_dataset(datasets, parameters.dataset)
    dataset = parameters.applied_to(own)
    volume, roi = _pinned_volume(dataset, server)
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
        groundtruth=_pinned_groundtruth(dataset, volume, server, _seen(segmentation, volume, models)),
        gate=dataset.gate,
        max_failed_share=dataset.limits.max_failed_share,
        code=code_versions(),
    )
    spec = spec.model_copy(update={"edits": edits(spec.dataset, phase_keys(spec)["segment"])})
    _check_output(spec, server)
    _check_preserved(spec, server)
    _check_size(dataset, grid_of(spec), roi)
    _check_memory(dataset, spec, models)
    return spec


def pinned_segmentation(
    segmentation: Segmentation, voxel_size_nm: tuple[float, float, float], models: ModelSource
) -> PinnedSegmentation:
    """Grid and steps with versions and all parameters; refuses cores that would share a DVID block, and thin halos."""
    if any(c % BLOCK_VOX for c in segmentation.core_vox):
        raise PermanentError(
            DOING,
            f"segmentation.core_vox = {segmentation.core_vox}",
            f"not multiples of {BLOCK_VOX}, so two subvolumes would share a DVID block",
            f"Use multiples of {BLOCK_VOX} voxels",
        )
    config = with_model(segmentation.pipeline or preset(segmentation.preset), segmentation.model)
    pipeline = Pipeline(config, voxel_size_nm, models, segmentation.checks)
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


def _pinned_volume(dataset: Dataset, server: DvidServer) -> tuple[PinnedVolume, Roi | None]:
    wanted = dataset.volume
    found = _locked(server, "volume.node", wanted.node)
    repo = repo_info(server, found.uuid)
    node = Node(server, found.uuid)
    _require_instance(repo, wanted.grayscale, "uint8blk", "volume.grayscale")
    info = Grayscale(node, wanted.grayscale).info()
    if info.extents is None:
        raise PermanentError(
            DOING, f"volume.grayscale = {wanted.grayscale}", "the instance holds no voxel", "Ingest the volume first"
        )
    roi = None
    if wanted.roi is not None:
        _require_instance(repo, wanted.roi, "roi", "volume.roi")
        roi = RoiInstance(node, wanted.roi).read()
        _check_roi(wanted.roi, roi, info.extents)
    volume = PinnedVolume(
        root=repo.root,
        node=found.uuid,
        grayscale=wanted.grayscale,
        bounds_start=info.extents.start,
        bounds_stop=info.extents.stop,
        voxel_size_nm=info.voxel_size_nm,
        roi=wanted.roi,
        roi_digest="" if roi is None else roi.digest,
    )
    return volume, roi


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


def _locked(server: DvidServer, field: str, reference: str) -> NodeInfo:
    try:
        return resolve_locked_node(server, reference)
    except NotFoundError as error:
        raise PermanentError(
            DOING, f"{field} = {reference}", f"DVID at {server.url} knows no such version", "Give a UUID that it holds"
        ) from error


def _check_roi(name: str, roi: Roi, extents: Box) -> None:
    if roi.is_empty or not roi.touches(extents):
        raise PermanentError(
            DOING,
            f"volume.roi = {name}",
            f"the ROI covers {roi.bounds.start}-{roi.bounds.stop} and the data {extents.start}-{extents.stop} (ZYX)",
            "Choose a ROI that meets the data",
        )


def _seen(segmentation: PinnedSegmentation, volume: PinnedVolume, models: ModelSource) -> tuple[PinnedBox, ...]:
    """The boxes of this grayscale that the models of the run were trained on."""
    source = dvid_source(volume.root, volume.grayscale)
    digests = sorted({step.model for step in segmentation.steps if step.model is not None})
    records = [training for digest in digests if (training := models(digest).description.training) is not None]
    regions = [region for record in records for region in record.regions if region.source == source]
    return tuple(PinnedBox(start=region.start, stop=region.stop) for region in regions)


def _pinned_groundtruth(
    dataset: Dataset, volume: PinnedVolume, server: DvidServer, excluded: tuple[PinnedBox, ...]
) -> PinnedGroundTruth:
    wanted = dataset.volume.groundtruth
    node = volume.node if wanted.node is None else _locked(server, "volume.groundtruth.node", wanted.node).uuid
    _require_instance(repo_info(server, node), wanted.instance, "labelmap", "volume.groundtruth.instance")
    Labelmap(Node(server, node), wanted.instance).info()
    return PinnedGroundTruth(node=node, instance=wanted.instance, excluded=excluded)


def _require_instance(repo: RepoInfo, name: str, kind: str, field: str) -> None:
    known = {instance.name: instance.type for instance in repo.instances.values()}
    if known.get(name) != kind:
        of_kind = ", ".join(sorted(n for n, k in known.items() if k == kind)) or "none"
        raise PermanentError(
            DOING,
            f"{field} = {name}",
            f"a {known[name]}, not a {kind}" if name in known else "no such data instance in this repository",
            f"Instances of type {kind} here: {of_kind}",
        )


def _check_output(spec: RunSpec, server: DvidServer) -> None:
    """The output instance may exist and hold labels of earlier runs, which this one replaces where it segments."""
    name, found = spec.output.instance, repo_info(server, spec.volume.node).instances.get(spec.output.instance)
    if found is None:
        return
    problem = f"it is a {found.type}"
    if found.type == "labelmap":
        info = Labelmap(Node(server, spec.volume.node), name).info()
        is_truth = (name, spec.volume.node) == (spec.groundtruth.instance, spec.groundtruth.node)
        if info.max_scale == spec.output.max_scale and not is_truth:
            require_whole_bodies(Labelmap(Node(server, spec.volume.node), name))
            return
        problem = "it is the ground truth" if is_truth else f"it has scales up to {info.max_scale}"
    raise PermanentError(
        DOING,
        f"output.instance = {name}, output.max_scale = {spec.output.max_scale}",
        f"the repository has an instance of this name, and {problem}",
        "Use another instance name: it must be new, or a labelmap of the same scales that earlier runs wrote",
    )


def _check_preserved(spec: RunSpec, server: DvidServer) -> None:
    """Bodies can be preserved only where the instance has them in the version that is segmented."""
    name, node = spec.output.instance, Node(server, spec.volume.node)
    bodies = np.array(spec.output.preserve_bodies, np.uint64)
    known = indexed_labels(Labelmap(node, name)) if len(bodies) and name in node.repo().instances else bodies[:0]
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
