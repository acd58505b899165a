"""From what a person chose to an `EvaluationSpec`: two labelmaps of locked nodes, and a region where both can be read.

Without a box the region is where both have voxels. A box is taken as it is: what the segmentation lacks there is
unassigned, so a segmentation of half of the ground truth can be told from one of all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from emseg.config.dataset import Limits
from emseg.config.evaluation import EvaluationParameters, EvaluationSpec, PinnedInstance, box_of
from emseg.config.groundtruth import Counting
from emseg.config.runspec import PinnedBox
from emseg.dvid import DvidServer, Labelmap, LabelmapInfo, Node, RoiInstance, repo_info
from emseg.errors import PermanentError
from emseg.geometry import Box, Grid, Roi, checked_box, selected_cells
from emseg.links.addresses import checked_server
from emseg.phases import phase_named
from emseg.phases.code_version import code_version
from emseg.tasks.one_grid import AGAIN, check_overlap, check_voxel_size
from emseg.tasks.pinned_volume import DOING, check_roi, check_scale, locked_node, require_instance

_SIX = "Give Z0 Y0 X0 Z1 Y1 X1 with Z0 < Z1, Y0 < Y1 and X0 < X1"


@dataclass(frozen=True)
class _Found:
    """A labelmap as it is in a locked node; `told` is how messages name it."""

    pinned: PinnedInstance
    info: LabelmapInfo
    told: str


def pin_evaluation(chosen: EvaluationParameters, server: DvidServer) -> EvaluationSpec:
    """The spec; PermanentError names field, value and remedy of whatever cannot be compared."""
    segmentation = _found(server, "segmentation", chosen.segmentation)
    truth = _found(server, "groundtruth", chosen.groundtruth)
    size = truth.info.voxel_size_nm
    check_voxel_size(segmentation.info.voxel_size_nm, size, DOING, segmentation.told, "the ground truth")
    check_scale(chosen.scale, "scale", {each.told: each.info.max_scale for each in (segmentation, truth)})
    region = _region(chosen, segmentation, truth)
    pinned_roi, roi = _roi(server, chosen, region)
    _check_size(Grid(region, chosen.core_vox, (0, 0, 0)), roi)
    extents = truth.info.extents or region
    return EvaluationSpec(
        server=checked_server(server.url),
        segmentation=segmentation.pinned,
        groundtruth=truth.pinned,
        segmentation_supervoxels=chosen.segmentation_supervoxels,
        groundtruth_supervoxels=chosen.groundtruth_supervoxels,
        counting=Counting(**{name: getattr(chosen, name) for name in Counting.model_fields}),
        leave_out=tuple(_checked("leave_out", box_of(corners)) for corners in chosen.leave_out),
        start=region.start,
        stop=region.stop,
        extents=PinnedBox(start=extents.start, stop=extents.stop),
        roi=pinned_roi,
        roi_digest="" if roi is None else roi.digest,
        voxel_size_nm=size,
        core_vox=chosen.core_vox,
        grayscale=_grayscale(server, segmentation.pinned.node),
        code=code_version(phase_named("evaluate")),
    )


def _instance(server: DvidServer, field: str, reference: str, kind: str) -> PinnedInstance:
    node, _, instance = reference.rpartition(":")
    uuid = locked_node(server, field, node).uuid
    require_instance(repo_info(server, uuid), instance, kind, field)
    return PinnedInstance(node=uuid, instance=instance)


def _found(server: DvidServer, field: str, reference: str) -> _Found:
    pinned = _instance(server, field, reference, "labelmap")
    labelmap, told = Labelmap(Node(server, pinned.node), pinned.instance), f"{field} = {reference}"
    info = labelmap.info()
    if labelmap.max_label() == 0:
        found = f"it holds no label in version {pinned.node}"
        raise PermanentError(DOING, told, found, "Name a version in which it was written, or a later one")
    if info.extents is not None:
        checked_box(info.extents, DOING, told, AGAIN)
    return _Found(pinned, info, told)


def _region(chosen: EvaluationParameters, segmentation: _Found, truth: _Found) -> Box:
    found, wanted = segmentation.info.extents, truth.info.extents
    if chosen.box is not None:
        box = _checked("box", box_of(chosen.box)).box
        for each in (segmentation, truth):
            extents = each.info.extents
            if extents is not None and box.clipped(extents).is_empty:
                lies = f"{each.told} lies in {extents.start}-{extents.stop} (ZYX), so they share no voxel"
                raise PermanentError(DOING, f"box = {chosen.box}", lies, "Give a box that meets both, or none")
        return box if wanted is None else box.clipped(wanted)
    if found is None or wanted is None:
        each = segmentation if found is None else truth
        raise PermanentError(DOING, each.told, "DVID does not tell where it has voxels", "Give a box")
    check_overlap(found, wanted, DOING, segmentation.told, truth.told)
    return found.clipped(wanted)


def _checked(field: str, box: PinnedBox) -> PinnedBox:
    checked_box(box.box, DOING, f"{field} = {(*box.start, *box.stop)}", _SIX)
    return box


def _roi(server: DvidServer, chosen: EvaluationParameters, region: Box) -> tuple[PinnedInstance | None, Roi | None]:
    if chosen.roi is None:
        return None, None
    pinned = _instance(server, "roi", chosen.roi, "roi")
    roi = RoiInstance(Node(server, pinned.node), pinned.instance).read()
    check_roi(chosen.roi, roi, region, "roi")
    return pinned, roi


def _check_size(grid: Grid, roi: Roi | None) -> None:
    most = Limits().max_subvolumes
    found = grid.shape.product if roi is None else len(selected_cells(grid, roi))
    if found > most:
        told = f"{found} subvolumes, more than {most}"
        raise PermanentError(DOING, f"core_vox = {tuple(grid.core_vox)}", told, "Give larger ones, a box or a ROI")


def _grayscale(server: DvidServer, node: str) -> str | None:
    """The grayscale of a repository: the one of this name, or the first by name; none where it has none."""
    names = [each.name for each in repo_info(server, node).instances.values() if each.type == "uint8blk"]
    return min(names, key=lambda name: (name != "grayscale", name), default=None)
