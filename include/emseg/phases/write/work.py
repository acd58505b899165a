"""The work on one brick: supervoxel blocks at every scale, written, read back and compared.

A voxel is overwritten only inside a selected subvolume and the ROI, and outside preserved bodies. Inherited labels of
other voxels are not touched, at any scale. The worked example is in `emseg.phases.write`.

Memory of a task: 5 bytes a voxel of each core in memory (one core where cores are 64 voxels times a power of two, else
up to 8); some MB a scale; and packed blocks: those of a request, all of the coarser scales, all inherited ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from emseg.array_types import Ids
from emseg.dvid import LabelPyramid, NewLabels
from emseg.dvid.coordinates import blocks_around, blocks_at_finer_scale, one_block, voxels_of
from emseg.geometry import Box, Coordinate
from emseg.phases.labelmaps import inherited, segmentation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import NEW_COUNTS, REPLACED_COUNTS, SUBSTITUTES, counts_table
from emseg.phases.write.branch import released_meanwhile
from emseg.phases.write.bricks import brick_grid, brick_number, top_block
from emseg.phases.write.replaced_region import ReplacedRegion
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.store import ItemMarker

NAME = "write"

CELLS_HELD = 8
"""Subvolumes in memory: eight meet at a corner, one is enough where cores are 64 voxels times a power of two."""


@dataclass(frozen=True)
class WriteBrick:
    """The work on one brick, block by block: new labels over inherited ones, counted, downsampled, written, read back.

    `held_elsewhere` are the ids that `prepare_branch` returned: no new supervoxel gets one of them. With
    `only_compares` nothing is written: the node must hold the brick already.
    """

    run: RunContext[DvidServices]
    held_elsewhere: Ids
    only_compares: bool = False

    def __call__(self, item: str) -> ItemMarker:
        """Write the brick named `item`. TransientError where a twin of this run has released the result meanwhile."""
        pyramid, regions = self.brick(item)
        with released_meanwhile(self.run):
            call = pyramid.compare if self.only_compares else pyramid.write
            written = call(segmentation(self.run))
        counts, substitutes, folder = pyramid.counts, regions.substitutes, self.run.folder(NAME)
        artefacts = [
            NEW_COUNTS.write(folder, item, counts_table(counts)),
            REPLACED_COUNTS.write(folder, item, counts_table(pyramid.replaced)),
            SUBSTITUTES.write(folder, item, substitutes.to_arrow()),
        ]
        statistics = {
            "blocks": written,
            "voxels": int(counts.count.sum()),
            "renamed": len(substitutes),
            "rows": len(counts),
            "rows_replaced": len(pyramid.replaced),
        }
        return folder.commit_item(item, artefacts, statistics)

    def brick(self, item: str) -> tuple[LabelPyramid, RegionsOfBrick]:
        """The blocks of the brick named `item`, and the subvolumes that they are made from; nothing is made yet."""
        spec, ancestor = self.run.spec, inherited(self.run)
        max_scale = spec.output.max_scale
        core = brick_grid(self.run.grid.bounds, max_scale).subvolume(brick_number(item)).core
        top = top_block(core, max_scale)
        boxes = [blocks_at_finer_scale(top, max_scale - scale) for scale in range(max_scale + 1)]
        regions = RegionsOfBrick(self.run, self.held_elsewhere, core)
        stored = [dict(ancestor.stored_blocks(*at)) for at in zip(boxes, count())]
        return LabelPyramid(top, stored, regions.block), regions


class RegionsOfBrick:
    """The selected subvolumes of a brick, each in memory from its first block to its last; `CELLS_HELD` at most."""

    def __init__(self, run: RunContext[DvidServices], held_elsewhere: Ids, core: Box) -> None:
        self._run, self._held_elsewhere = run, held_elsewhere
        selected = [run.grid.subvolume(number) for number in run.grid.cells_touching(core) if run.is_selected(number)]
        self._blocks_left = {each.number: blocks_around(each.core.clipped(core)).voxels for each in selected}
        self._held: dict[int, ReplacedRegion] = {}
        self._substitutes: dict[int, SubstituteIds] = {}

    @property
    def substitutes(self) -> SubstituteIds:
        """The substitute ids of all subvolumes whose blocks were asked for."""
        return SubstituteIds.joined(list(self._substitutes.values()))

    def block(self, block: Coordinate) -> NewLabels | None:
        """The new labels of a block of scale 0, None where no voxel of it is replaced. Call it once for a block."""
        # Cores are multiples of 64 voxels, so no block lies in two.
        number = next(self._run.grid.cells_touching(voxels_of(one_block(block))), None)
        if number not in self._blocks_left:
            return None
        region = self._region(number)
        self._blocks_left[number] -= 1
        if self._blocks_left[number] == 0:
            del self._held[number]
        return region.block(block)

    def _region(self, number: int) -> ReplacedRegion:
        region = self._held.pop(number, None)
        if region is None:
            region = ReplacedRegion(self._run, self._run.grid.subvolume(number), self._held_elsewhere)
            self._substitutes[number] = region.substitutes
        self._held[number] = region
        if len(self._held) > CELLS_HELD:
            del self._held[next(iter(self._held))]  # the one that was not used for the longest time
        return region
