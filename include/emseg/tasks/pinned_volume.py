"""What a run reads and writes in DVID, found and checked: grayscale, ROI, ground truth and the output instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from emseg.config import Dataset, RunSpec
from emseg.config.groundtruth import Counting, Skeletons, Synapses
from emseg.config.runspec import PinnedBox, PinnedGroundTruth, PinnedSkeletons, PinnedSynapses, PinnedVolume
from emseg.dvid import (
    DvidServer,
    Grayscale,
    Labelmap,
    Node,
    NodeInfo,
    NotFoundError,
    RepoInfo,
    RoiInstance,
    repo_info,
    resolve_locked_node,
)
from emseg.dvid.labels.inherited import require_whole_bodies
from emseg.errors import PermanentError
from emseg.geometry import Box, Roi
from emseg.tasks.one_grid import check_extents, check_overlap, check_voxel_size

DOING = "pinning the run"


def pinned_volume(dataset: Dataset, server: DvidServer) -> tuple[PinnedVolume, Roi | None]:
    """Grayscale and ROI of a dataset as they are in its committed version; PermanentError for what cannot be used."""
    wanted = dataset.volume
    found = locked_node(server, "volume.node", wanted.node)
    repo = repo_info(server, found.uuid)
    node = Node(server, found.uuid)
    require_instance(repo, wanted.grayscale, "uint8blk", "volume.grayscale")
    info = Grayscale(node, wanted.grayscale).info()
    bounds = check_extents(info.extents, DOING, f"volume.grayscale = {wanted.grayscale}")
    roi = None
    if wanted.roi is not None:
        require_instance(repo, wanted.roi, "roi", "volume.roi")
        roi = RoiInstance(node, wanted.roi).read()
        check_roi(wanted.roi, roi, bounds)
    volume = PinnedVolume(
        root=repo.root,
        node=found.uuid,
        grayscale=wanted.grayscale,
        bounds_start=bounds.start,
        bounds_stop=bounds.stop,
        voxel_size_nm=info.voxel_size_nm,
        roi=wanted.roi,
        roi_digest="" if roi is None else roi.digest,
    )
    return volume, roi


def locked_node(server: DvidServer, field: str, reference: str) -> NodeInfo:
    """The committed node that `field` names; PermanentError for an open one, and where the server knows none."""
    try:
        return resolve_locked_node(server, reference)
    except NotFoundError as error:
        raise PermanentError(
            DOING, f"{field} = {reference}", f"DVID at {server.url} knows no such version", "Give a UUID that it holds"
        ) from error


def check_roi(name: str, roi: Roi, extents: Box, field: str = "volume.roi") -> None:
    """PermanentError for a ROI that is empty, or that lies beside the data."""
    if roi.is_empty or not roi.touches(extents):
        raise PermanentError(
            DOING,
            f"{field} = {name}",
            f"the ROI covers {roi.bounds.start}-{roi.bounds.stop} and the data {extents.start}-{extents.stop} (ZYX)",
            "Choose a ROI that meets the data",
        )


def pinned_groundtruth(
    dataset: Dataset, volume: PinnedVolume, server: DvidServer, excluded: tuple[PinnedBox, ...]
) -> PinnedGroundTruth | None:
    """The ground truth as it is in its committed version; refused where its voxels are not those of the grayscale.

    None where the dataset file says `groundtruth: none`.
    """
    wanted = dataset.volume.groundtruth
    if wanted is None:
        return None
    node = volume.node if wanted.node is None else locked_node(server, "volume.groundtruth.node", wanted.node).uuid
    require_instance(repo_info(server, node), wanted.instance, "labelmap", "volume.groundtruth.instance")
    on = f"volume.groundtruth.instance = {wanted.instance}"
    info = Labelmap(Node(server, node), wanted.instance).info()
    check_voxel_size(info.voxel_size_nm, volume.voxel_size_nm, DOING, on)
    if info.extents is not None:  # other clients may leave them out
        check_overlap(check_extents(info.extents, DOING, on), volume.bounds, DOING, on)
    scales = {"volume.groundtruth.instance": info.max_scale, "output.instance": dataset.output.max_scale}
    check_scale(wanted.scale, "volume.groundtruth.scale", scales)
    counting = {name: getattr(wanted, name) for name in Counting.model_fields}
    return PinnedGroundTruth(
        node=node,
        instance=wanted.instance,
        excluded=excluded,
        synapses=_pinned_points(wanted.synapses, "synapses", PinnedSynapses, "annotation", node, server),
        skeletons=_pinned_points(wanted.skeletons, "skeletons", PinnedSkeletons, "keyvalue", node, server),
        **counting,
    )


Pinned = TypeVar("Pinned", PinnedSynapses, PinnedSkeletons)


def _pinned_points(
    wanted: Synapses | Skeletons | None, name: str, pinned: type[Pinned], kind: str, node: str, server: DvidServer
) -> Pinned | None:
    """Synapses or skeletons as they are in their committed version, that of the ground truth where none is named."""
    if wanted is None:
        return None
    field = f"volume.groundtruth.{name}"
    if wanted.node is not None:
        node = locked_node(server, f"{field}.node", wanted.node).uuid
    require_instance(repo_info(server, node), wanted.instance, kind, f"{field}.instance")
    return pinned.model_validate(wanted.model_dump() | {"node": node})


def check_scale(wanted: int, field: str, scales: Mapping[str, int]) -> None:
    """PermanentError for a scale that one of the instances does not have; `scales` has the coarsest of each."""
    for name, most in scales.items():
        if wanted > most:
            found, remedy = f"{name} has scales up to {most}", f"Give a scale of 0 to {min(scales.values())}"
            raise PermanentError(DOING, f"{field} = {wanted}", found, remedy)


def require_instance(repo: RepoInfo, name: str, kind: str, field: str) -> None:
    """PermanentError unless the repository has an instance of this name and type."""
    known = {instance.name: instance.type for instance in repo.instances.values()}
    if known.get(name) != kind:
        of_kind = ", ".join(sorted(n for n, k in known.items() if k == kind)) or "none"
        raise PermanentError(
            DOING,
            f"{field} = {name}",
            f"it is of type {known[name]}, not {kind}" if name in known else "no such data instance in this repository",
            f"Instances of type {kind} here: {of_kind}",
        )


def check_output(spec: RunSpec, server: DvidServer) -> None:
    """The output instance may exist and hold labels of earlier runs, which this one replaces where it segments."""
    name, found = spec.output.instance, repo_info(server, spec.volume.node).instances.get(spec.output.instance)
    if found is None:
        return
    problem = f"it is of type {found.type}"
    if found.type == "labelmap":
        info = Labelmap(Node(server, spec.volume.node), name).info()
        truth = spec.groundtruth
        is_truth = truth is not None and (name, spec.volume.node) == (truth.instance, truth.node)
        if info.max_scale == spec.output.max_scale and not is_truth:
            on = f"output.instance = {name}"
            check_voxel_size(info.voxel_size_nm, spec.volume.voxel_size_nm, DOING, on)
            if info.extents is not None:
                check_extents(info.extents, DOING, on)
            require_whole_bodies(Labelmap(Node(server, spec.volume.node), name))
            return
        problem = "it is the ground truth" if is_truth else f"it has scales up to {info.max_scale}"
    raise PermanentError(
        DOING,
        f"output.instance = {name}, output.max_scale = {spec.output.max_scale}",
        f"the repository has an instance of this name, and {problem}",
        "Use another instance name: it must be new, or a labelmap of the same scales that earlier runs wrote",
    )
