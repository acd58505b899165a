"""Phase `write`: labels and mapping in, a labelmap on the run's own DVID branch out.

One item is one brick. It writes supervoxel blocks at every scale, reads them back, compares digests, and leaves the
tables `counts` (voxels of each new supervoxel in each block), `replaced` (those of an ancestor that gave way) and
`renamed` (new supervoxels whose own id an old one keeps).
Replaced are the voxels of the chosen subvolumes that lie in the ROI and in no preserved body; what an ancestor holds
elsewhere is not touched, at any scale. When every brick is written, `complete_labelmap` does the rest in the driver.
Memory of a task: 9 bytes a brick voxel and 5 a voxel of one core while labels are gathered; then 11 a brick voxel
(185 MB at max_scale 2), 20 where an ancestor holds labels (340 MB).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.codec import encode_table
from emseg.dvid import (
    BLOCK_VOX,
    IndexTable,
    Labelmap,
    Mask,
    Node,
    NodeLockedError,
    OldLabels,
    block_counts,
    check_indices,
    coarser,
    downsample_labels,
    staying_supervoxels,
    write_blocks,
)
from emseg.dvid.label_block import SHAPE
from emseg.dvid.pieces import pieces
from emseg.geometry import Box
from emseg.stages.bricks import blocks_within, brick_grid, bricks_of, cells_of_blocks, whole_brick
from emseg.stages.chosen_cell import ChosenCell
from emseg.stages.complete_labelmap import COUNTS_SCHEMA, NEW, RENAMED, REPLACED, STAGE, FinishLabelmap
from emseg.stages.engine import Phase
from emseg.stages.keys import stage_keys
from emseg.stages.renaming import Renaming
from emseg.stages.services import DvidServices, Workplace, branch_name, chosen_cells, is_chosen, segmentation_uuid
from emseg.stitch import Ids, cells_of
from emseg.store import ItemMarker

PIECE_VOX = 8 * BLOCK_VOX**3
"""Voxels that get their ids at once: where some have another name, all are copied on the way."""

Labels = npt.NDArray[np.uint64]


def write_phase(place: Workplace[DvidServices], cells: list[int], staying: Ids) -> Phase:
    """Writing of the bricks that the subvolumes `cells` touch; `staying` is what `prepare_branch` found."""
    spec = place.spec
    items = tuple(f"br-{number:08d}" for number in bricks_of(spec.grid, cells, spec.output.max_scale))
    return Phase(STAGE, stage_keys(spec).write, items, WriteBrick(place, staying), FinishLabelmap(place))


def prepare_branch(place: Workplace[DvidServices]) -> Ids:
    """Make (or find again) the run's branch and its labelmap instance; before the first brick is written.

    Returned are the ids of chosen subvolumes that old supervoxels keep elsewhere: they were split off by a proofreader
    (the server counts up from the largest id), or made on another grid. They are a function of the spec, too.
    NodeLockedError where somebody has committed the run's node (or went on from it) before its labels were complete.
    """
    spec, server = place.spec, place.open_services().server
    parent = Node(server, spec.volume.node)
    staying = _staying_elsewhere(place) if spec.output.instance in parent.repo().instances else np.empty(0, np.uint64)
    node = parent.branch(branch_name(spec), uuid=segmentation_uuid(spec), note=f"emseg {spec.dataset}: not judged yet")
    _require_open(node)
    Labelmap(node, spec.output.instance).create(spec.output.max_scale, spec.volume.voxel_size_nm)
    return staying


@dataclass(frozen=True)
class WriteBrick:
    """The work on one brick: gather, lay over what an ancestor holds, downsample, write, read back.

    `staying` are the ids that `prepare_branch` found: no new supervoxel gets one of them.
    """

    place: Workplace[DvidServices]
    staying: Ids

    def __call__(self, item: str) -> ItemMarker:
        """Write the brick named `item`."""
        spec = self.place.spec
        number = int(item.removeprefix("br-"))
        box = whole_brick(
            brick_grid(spec.volume.bounds, spec.output.max_scale).subvolume(number).core, spec.output.max_scale
        )
        labels, changed, renaming = self._gathered(box)
        counts = block_counts(labels, _blocks(box, 0).start)
        check_indices(counts)  # before a label that DVID cannot keep is written
        voxels = int(counts.count.sum())
        written, replaced = self._write_scales(labels, changed, box)
        folder = self.place.folder(STAGE)
        tables = {NEW: _table(counts), REPLACED: _table(replaced), RENAMED: renaming.to_arrow()}
        artefacts = [folder.write_artefact(item, name, encode_table(table)) for name, table in tables.items()]
        statistics = {"blocks": written, "voxels": voxels, "renamed": len(renaming.names)}
        return folder.commit_item(item, artefacts, statistics)

    def _gathered(self, box: Box) -> tuple[Labels, Mask, Renaming]:
        """New labels of the brick, uint64; which of its voxels they replace; those with another id than of place."""
        spec, roi = self.place.spec, self.place.open_services().roi(self.place.spec)
        labels, changed = np.zeros(box.shape, np.uint64), np.zeros(box.shape, bool)
        renamings: list[Renaming] = []
        for subvolume in map(spec.grid.subvolume, spec.grid.cells_touching(box)):
            if is_chosen(roi, subvolume.core):
                cell = ChosenCell(self.place, subvolume, self.staying)
                renamings.append(cell.renaming)
                for part in pieces(subvolume.core.clipped(box), SHAPE, PIECE_VOX):
                    at = part.slices(box.start)
                    cell.gather(part, labels[at], changed[at])
        return labels, changed, Renaming.joined(renamings)

    def _write_scales(self, labels: Labels, changed: Mask, box: Box) -> tuple[int, IndexTable]:
        """Blocks written at all scales, and the voxels of old supervoxels that gave way at scale 0."""
        spec, services = self.place.spec, self.place.open_services()
        labelmap, ancestor = services.segmentation(spec), services.inherited(spec)
        written, replaced = 0, IndexTable.joined([])
        for scale in range(spec.output.max_scale + 1):
            if scale > 0:
                labels, changed = downsample_labels(labels), coarser(changed)
            old = OldLabels.read(ancestor, _blocks(box, scale), scale)
            if scale == 0:
                replaced = old.counts_in(changed)
            old.fill_unchanged(labels, changed)
            blocks = old.blocks_to_write(labels, changed)
            written += write_blocks(labelmap, scale, blocks, old.box_blocks, old.digests)
        return written, replaced


def _staying_elsewhere(place: Workplace[DvidServices]) -> Ids:
    spec, services = place.spec, place.open_services()
    roi = services.roi(spec)
    cells, preserved = chosen_cells(spec.grid, roi), np.array(spec.output.preserve_bodies, np.uint64)

    def stays(rows: IndexTable) -> Mask:
        """Rows that stay, at least in part, outside of the subvolume whose ids they have."""
        here = cells_of_blocks(spec.grid, rows.block)
        found: Mask = here != cells_of(rows.supervoxel)
        elsewhere = np.flatnonzero(found)
        goes = np.isin(here[elsewhere], cells) & blocks_within(spec.grid, roi, rows.block[elsewhere])
        found[elsewhere] = ~goes | np.isin(rows.body[elsewhere], preserved)
        return found

    return staying_supervoxels(services.inherited(spec), lambda ids: np.isin(cells_of(ids), cells), stays)


def _require_open(node: Node) -> None:
    info = node.info()
    if info.locked:
        raise NodeLockedError(
            "preparing to write labels",
            f"node {node.uuid}, branch {info.branch!r}",
            f"it was committed as {info.note!r} before its labels were complete"
            + (f", and has the child {', '.join(info.children)}" if info.children else ""),
            "Nothing was written. Find out who committed it; another output instance name makes another branch",
        )


def _blocks(box: Box, scale: int) -> Box:
    """The blocks of `scale` that a brick holds."""
    side = BLOCK_VOX << scale
    (z, y, x), (k, j, i) = (tuple(v // side for v in corner) for corner in (box.start, box.stop))
    return Box((z, y, x), (k, j, i))


def _table(rows: IndexTable) -> pa.Table:
    return pa.table([*rows.block.T, rows.supervoxel, rows.count], schema=COUNTS_SCHEMA)
