"""Phase `write`: labels and mapping in, a labelmap on the run's own DVID branch out.

One item is one brick. It writes supervoxel blocks at every scale, reads them back, compares digests, and leaves the
tables `counts` (voxels of each new supervoxel in each block), `replaced` (those of an ancestor that gave way) and
`renamed` (new supervoxels whose own id an old one keeps).
Replaced are the voxels of the chosen subvolumes that lie in the ROI and in no preserved body; what an ancestor holds
elsewhere is not touched, at any scale. When every brick is written, `complete_labelmap` does the rest in the driver.
Memory of a task: 5 bytes a voxel of each core that is held, one where cores are 64 voxels times a power of two, else up
to 8; some MB a scale; and packed blocks: those of a request, all of the coarser scales, all that the ancestor has.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
import pyarrow as pa

from emseg.codec import encode_table
from emseg.dvid import (
    IndexTable,
    Labelmap,
    LabelPyramid,
    Mask,
    NewLabels,
    Node,
    NodeLockedError,
    staying_supervoxels,
)
from emseg.dvid.coordinates import blocks_around, blocks_at_finer_scale, one_block, voxels_of
from emseg.geometry import Box, Vec
from emseg.stages.bricks import blocks_within, brick_grid, bricks_of, cells_of_blocks, top_block
from emseg.stages.chosen_cell import ChosenCell
from emseg.stages.complete_labelmap import COUNTS_SCHEMA, NEW, RENAMED, REPLACED, STAGE, FinishLabelmap
from emseg.stages.engine import Phase
from emseg.stages.keys import stage_keys
from emseg.stages.renaming import Renaming
from emseg.stages.services import DvidServices, Workplace, branch_name, chosen_cells, is_chosen, segmentation_uuid
from emseg.stitch import Ids, cells_of
from emseg.store import ItemMarker

CELLS_HELD = 8
"""As many meet at a corner; one is enough where cores are 64 voxels times a power of two."""


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
    """The work on one brick, block by block: lay over what an ancestor holds, count, downsample, write; read back.

    `staying` are the ids that `prepare_branch` found: no new supervoxel gets one of them.
    """

    place: Workplace[DvidServices]
    staying: Ids

    def __call__(self, item: str) -> ItemMarker:
        """Write the brick named `item`."""
        pyramid, cells = self.brick(item)
        written = pyramid.write(self.place.open_services().segmentation(self.place.spec))
        counts, renaming, folder = pyramid.counts, cells.renaming, self.place.folder(STAGE)
        tables = {NEW: _table(counts), REPLACED: _table(pyramid.replaced), RENAMED: renaming.to_arrow()}
        artefacts = [folder.write_artefact(item, name, encode_table(table)) for name, table in tables.items()]
        statistics = {"blocks": written, "voxels": int(counts.count.sum()), "renamed": len(renaming.names)}
        return folder.commit_item(item, artefacts, statistics)

    def brick(self, item: str) -> tuple[LabelPyramid, Cells]:
        """The blocks of the brick named `item`, and the subvolumes that they are made from; nothing is made yet."""
        spec, ancestor = self.place.spec, self.place.open_services().inherited(self.place.spec)
        max_scale = spec.output.max_scale
        core = brick_grid(spec.volume.bounds, max_scale).subvolume(int(item.removeprefix("br-"))).core
        top = top_block(core, max_scale)
        boxes = [blocks_at_finer_scale(top, max_scale - scale) for scale in range(max_scale + 1)]
        cells = Cells(self.place, self.staying, core)
        return LabelPyramid(top, [dict(ancestor.stored_blocks(*at)) for at in zip(boxes, count())], cells.block), cells


class Cells:
    """The chosen subvolumes of a brick, each held from its first block to its last; at most `CELLS_HELD` at once."""

    def __init__(self, place: Workplace[DvidServices], staying: Ids, core: Box) -> None:
        self._place, self._staying = place, staying
        grid, roi = place.spec.grid, place.open_services().roi(place.spec)
        cells = [cell for cell in map(grid.subvolume, grid.cells_touching(core)) if is_chosen(roi, cell.core)]
        self._blocks_left = {cell.number: blocks_around(cell.core.clipped(core)).voxels for cell in cells}
        self._held: dict[int, ChosenCell] = {}
        self._renamings: dict[int, Renaming] = {}

    @property
    def renaming(self) -> Renaming:
        """That of all subvolumes of which a block was asked for."""
        return Renaming.joined(list(self._renamings.values()))

    def block(self, block: Vec) -> NewLabels | None:
        """What a block of scale 0 gets, None where nothing of it is replaced. Each may be asked for once."""
        # Cores are multiples of 64 voxels, so no block lies in two.
        number = next(self._place.spec.grid.cells_touching(voxels_of(one_block(block))), None)
        if number not in self._blocks_left:
            return None
        cell = self._cell(number)
        self._blocks_left[number] -= 1
        if self._blocks_left[number] == 0:
            del self._held[number]
        return cell.block(block)

    def _cell(self, number: int) -> ChosenCell:
        cell = self._held.pop(number, None)
        if cell is None:
            cell = ChosenCell(self._place, self._place.spec.grid.subvolume(number), self._staying)
            self._renamings[number] = cell.renaming
        self._held[number] = cell
        if len(self._held) > CELLS_HELD:
            del self._held[next(iter(self._held))]  # the one that was not asked for the longest
        return cell


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


def _table(rows: IndexTable) -> pa.Table:
    return pa.table([*rows.block.T, rows.supervoxel, rows.count], schema=COUNTS_SCHEMA)
