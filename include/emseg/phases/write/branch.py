"""The run's own DVID branch and its labelmap, made before the first brick is written."""

from __future__ import annotations

import numpy as np

from emseg.array_types import Flags, Ids
from emseg.dvid import IndexTable, Labelmap, Node, NodeLockedError, surviving_by_index
from emseg.geometry import cells_of
from emseg.phases.labelmaps import branch_name, inherited, segmentation_uuid
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.bricks import blocks_within, cells_of_blocks


def prepare_branch(run: RunContext[DvidServices]) -> Ids:
    """Make (or find again) the run's branch and its labelmap instance, before the first brick is written.

    Returns the ids of selected subvolumes that surviving supervoxels hold outside of that subvolume. A proofreader may
    have split them off (the server counts up from the largest id), or another grid or program has made them.
    NodeLockedError where somebody has committed the run's node (or went on from it) before its labels were complete.
    """
    spec, server = run.spec, run.open_services().server
    parent = Node(server, spec.volume.node)
    has_labels = spec.output.instance in parent.repo().instances
    held_elsewhere = _held_elsewhere(run) if has_labels else np.empty(0, np.uint64)
    node = parent.branch(branch_name(run), uuid=segmentation_uuid(run), note=f"emseg {spec.dataset}: not judged yet")
    _require_open(node)
    Labelmap(node, spec.output.instance).create(spec.output.max_scale, spec.volume.voxel_size_nm)
    return held_elsewhere


def _held_elsewhere(run: RunContext[DvidServices]) -> Ids:
    spec, services = run.spec, run.open_services()
    roi = services.roi(spec)
    cells, preserved = run.cells, np.array(spec.output.preserve_bodies, np.uint64)

    def survives_elsewhere(rows: IndexTable) -> Flags:
        """Rows in a block outside of the subvolume that the id encodes, of which at least a part is not replaced."""
        cell = cells_of_blocks(run.grid, rows.block)
        found: Flags = cell != cells_of(rows.supervoxel)
        elsewhere = np.flatnonzero(found)
        is_replaced = np.isin(cell[elsewhere], cells) & blocks_within(run.grid, roi, rows.block[elsewhere])
        found[elsewhere] = ~is_replaced | np.isin(rows.body[elsewhere], preserved)
        return found

    return surviving_by_index(inherited(run), lambda ids: np.isin(cells_of(ids), cells), survives_elsewhere)


def _require_open(node: Node) -> None:
    info = node.info()
    if info.locked:
        raise NodeLockedError(
            "preparing to write labels",
            f"node {node.uuid}, branch {info.branch!r}",
            f"it was committed as {info.note!r} before its labels were complete"
            + (f", and has the child {', '.join(info.children)}" if info.children else ""),
            "Nothing was written. Find out who committed it, or use another output instance: it has another branch",
        )
