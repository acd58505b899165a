"""The replaced region of one subvolume: which labelmap voxels the run overwrites, and with which ids.

A voxel is overwritten only inside a selected subvolume and the ROI, and outside preserved bodies. The worked example is
in `emseg.phases.write`. Every brick that holds a part of the subvolume gets the same answer. Memory: 5 bytes a core
voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emseg.array_types import Ids, Labels32, Mask
from emseg.dvid import NewLabels, surviving_in_box
from emseg.dvid.coordinates import blocks_around, one_block, voxels_of
from emseg.geometry import Box, Coordinate, Subvolume, cells_of, supervoxel_ids
from emseg.phases.labelmaps import inherited
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import SegmentedSubvolume
from emseg.phases.services import DvidServices
from emseg.phases.write.substitute_ids import SubstituteIds


@dataclass(frozen=True)
class ReplacedRegion:
    """One selected subvolume. `held_elsewhere` are the ids that `prepare_branch` returned."""

    run: RunContext[DvidServices]
    subvolume: Subvolume
    held_elsewhere: Ids

    def block(self, block: Coordinate) -> NewLabels | None:
        """The new labels of a block of scale 0 in the core, None where none of its voxels is replaced."""
        box, core = voxels_of(one_block(block)), self.subvolume.core
        replaced, inside = self._replaced(box), box.clipped(core)
        if replaced is not None and not replaced.any():
            return None
        labels = self._labels[inside.slices(core.start)]
        if replaced is None:
            return NewLabels(labels, self._ids)
        whole = np.zeros(box.shape, np.uint32)
        whole[inside.slices(box.start)] = labels
        return NewLabels(whole * replaced, self._ids, replaced)

    @cached_property
    def _ids(self) -> Ids:
        """The id in DVID of each local label, of 0, too."""
        labels = np.arange(self._segmented.segments + 1, dtype=np.uint32)
        return self.substitutes.applied_to(supervoxel_ids(labels, self.subvolume.number))

    @cached_property
    def substitutes(self) -> SubstituteIds:
        """The new supervoxels whose default id is held, with the ids that they get instead.

        Labels that lie only in the halo are included: a body may be named after one.
        """
        labels = np.arange(1, self._segmented.segments + 1, dtype=np.uint32)
        return SubstituteIds.beside(self._held(), supervoxel_ids(labels, self.subvolume.number))

    def _held(self) -> Ids:
        """Ids of this subvolume that no new supervoxel may get.

        They are held by surviving supervoxels in the blocks of the subvolume (also past the edge of the volume) and
        elsewhere, or they are the names of preserved bodies, which need not be a supervoxel's id.
        """
        spec, ancestor = self.run.spec, inherited(self.run)
        blocks = voxels_of(blocks_around(self.subvolume.core))
        replaced = self._replaced(blocks)
        survivors = np.empty(0, np.uint64) if replaced is None else surviving_in_box(ancestor, blocks, replaced)
        preserved = np.array(spec.output.preserve_bodies, np.uint64)
        held = np.unique(np.concatenate([survivors, self.held_elsewhere, preserved]))
        own: Ids = held[cells_of(held) == self.subvolume.number]
        return own

    def _replaced(self, box: Box) -> Mask | None:
        """Which voxels of `box` are replaced; None: all of them."""
        core, of_core = self.subvolume.core, self._replaced_of_core
        inside = box.clipped(core)
        if inside == box and of_core is None:
            return None
        replaced = np.zeros(box.shape, bool)
        replaced[inside.slices(box.start)] = True if of_core is None else of_core[inside.slices(core.start)]
        return None if replaced.all() else replaced

    @cached_property
    def _replaced_of_core(self) -> Mask | None:
        """Which voxels of the core lie in the ROI and in no preserved body; None: all of them."""
        spec, services, core = self.run.spec, self.run.open_services(), self.subvolume.core
        roi = services.roi(spec)
        if roi is None and not spec.output.preserve_bodies:
            return None
        unpreserved = ~services.preserved(spec, core)
        return unpreserved if roi is None else unpreserved & roi.mask(core)

    @cached_property
    def _labels(self) -> Labels32:
        return self._segmented.core_labels()

    @cached_property
    def _segmented(self) -> SegmentedSubvolume:
        (segmented,) = SegmentedSubvolume.several(self.run, [self.subvolume.number])
        return segmented
