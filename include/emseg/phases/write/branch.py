"""The run's own DVID branch and its labelmap, made before the first brick is written; and whether it is released."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from emseg.array_types import Flags, Ids
from emseg.dvid import IndexTable, Labelmap, Node, NodeLockedError, NotFoundError, surviving_by_index
from emseg.errors import PermanentError, TransientError
from emseg.geometry import cells_of
from emseg.phases.labelmaps import branch_name, inherited, segmentation_uuid
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.bricks import blocks_within, cells_of_blocks


def prepare_branch(run: RunContext[DvidServices]) -> Ids:
    """Make (or find again) the run's branch and its labelmap instance, before the first brick is written.

    Returns the ids that are `held_elsewhere`. NodeLockedError where somebody has committed the run's node (or went on
    from it) before its labels were complete.
    """
    spec, server = run.spec, run.open_services().server
    parent = Node(server, spec.volume.node)
    held = held_elsewhere(run)
    node = parent.branch(branch_name(run), uuid=segmentation_uuid(run), note=f"emseg {spec.dataset}: not judged yet")
    _require_open(node)
    Labelmap(node, spec.output.instance).create(spec.output.max_scale, spec.volume.voxel_size_nm)
    return held


def is_released(run: RunContext[DvidServices]) -> bool:
    """Whether the run's node was committed with this very result in it, by this run or by a twin of it."""
    node = _found(run)
    return node is not None and node.is_locked() and node.is_released_as(node.uuid)


@contextmanager
def released_meanwhile(run: RunContext[DvidServices]) -> Iterator[None]:
    """Around what writes: a node that a twin of this run has released is no error of anybody, and a retry ends well."""
    try:
        yield
    except NodeLockedError as error:
        if not is_released(run):
            raise
        raise TransientError(
            "writing labels",
            error.on,
            "another attempt at the same result has finished and released it",
            "A retry compares the labels and goes on",
        ) from error


def require_branch(run: RunContext[DvidServices]) -> None:
    """PermanentError where the run's branch or its labelmap is not there: nothing was ever written."""
    node = _found(run)
    if node is None or not node.has(run.spec.output.instance):
        raise PermanentError(
            "reading what phase write left", f"run {run.spec.run}", "the phase is not done", "Clear the task `stitch`"
        )


def _found(run: RunContext[DvidServices]) -> Node | None:
    node = Node(run.open_services().server, segmentation_uuid(run))
    try:
        node.is_locked()
    except NotFoundError:
        return None
    return node


def held_elsewhere(run: RunContext[DvidServices]) -> Ids:
    """The ids of selected subvolumes that surviving supervoxels hold outside of that subvolume.

    A proofreader may have split them off (the server counts up from the largest id), or another grid or program has
    made them.
    """
    spec, services = run.spec, run.open_services()
    if not Node(services.server, spec.volume.node).has(spec.output.instance):
        return np.empty(0, np.uint64)
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
