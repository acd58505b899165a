"""A subvolume of the run as it is to be in the labelmap: which of its voxels are replaced, by which ids.

All of it is a function of the spec, so that every brick that holds a part of the subvolume sees the same. Memory: 5
bytes a core voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emseg.dvid import Mask, NewLabels, kept_supervoxels
from emseg.dvid.coordinates import blocks_around, one_block, voxels_of
from emseg.geometry import Box, Subvolume, Vec
from emseg.stages.match import read_labels
from emseg.stages.renaming import Renaming
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.services import DvidServices, Workplace
from emseg.stitch import Ids, cells_of, supervoxel_ids
from emseg.store import ItemMarker


@dataclass(frozen=True)
class ChosenCell:
    """One subvolume that was segmented.

    `staying` are ids that old supervoxels keep outside of the subvolume whose ids they are.
    """

    place: Workplace[DvidServices]
    subvolume: Subvolume
    staying: Ids

    def block(self, block: Vec) -> NewLabels | None:
        """What a block of scale 0 in the core gets, None where nothing of it is replaced.

        Replaced are the voxels in the ROI and in no preserved body; ids are those that new supervoxels have in DVID.
        """
        box, core = voxels_of(one_block(block)), self.subvolume.core
        changed, inside = self._changed(box), box.clipped(core)
        if changed is not None and not changed.any():
            return None
        labels = self._labels[inside.slices(core.start)]
        if changed is None:
            return NewLabels(labels, self._ids)
        whole = np.zeros(box.shape, np.uint32)
        whole[inside.slices(box.start)] = labels
        return NewLabels(whole * changed, self._ids, changed)

    @cached_property
    def _ids(self) -> Ids:
        """The id of each local label, 0 with them."""
        labels = np.arange(self._segments + 1, dtype=np.uint32)
        return self.renaming.applied_to(supervoxel_ids(labels, self.subvolume.number))

    @cached_property
    def renaming(self) -> Renaming:
        """The new supervoxels that are not called as their place says.

        Also of labels that lie in the halo only: a body may be named after one.
        """
        labels = np.arange(1, self._segments + 1, dtype=np.uint32)
        return Renaming.beside(self._taken(), supervoxel_ids(labels, self.subvolume.number))

    def _taken(self) -> Ids:
        """Ids of this subvolume that stay: of old supervoxels in its blocks (also past the edge of the volume) and
        elsewhere, and the names of preserved bodies, which need not be a supervoxel's.
        """
        spec, ancestor = self.place.spec, self.place.open_services().inherited(self.place.spec)
        blocks = voxels_of(blocks_around(self.subvolume.core))
        changed = self._changed(blocks)
        kept = np.empty(0, np.uint64) if changed is None else kept_supervoxels(ancestor, blocks, changed)
        taken = np.unique(np.concatenate([kept, self.staying, np.array(spec.output.preserve_bodies, np.uint64)]))
        own: Ids = taken[cells_of(taken) == self.subvolume.number]
        return own

    @property
    def _segments(self) -> int:
        return int(self._marker.statistics["segments"])

    def _changed(self, box: Box) -> Mask | None:
        """Which voxels of `box` are replaced; None: all of them."""
        core, free = self.subvolume.core, self._free
        inside = box.clipped(core)
        if inside == box and free is None:
            return None
        changed = np.zeros(box.shape, bool)
        changed[inside.slices(box.start)] = True if free is None else free[inside.slices(core.start)]
        return None if changed.all() else changed

    @cached_property
    def _free(self) -> Mask | None:
        """Which voxels of the core lie in the ROI and in no preserved body; None: all of them."""
        spec, services, core = self.place.spec, self.place.open_services(), self.subvolume.core
        roi = services.roi(spec)
        if roi is None and not spec.output.preserve_bodies:
            return None
        free = ~services.preserved(spec, core)
        return free if roi is None else free & roi.mask(core)

    @cached_property
    def _labels(self) -> npt.NDArray[np.uint32]:
        return read_labels(self.place.folder(SEGMENT), self._marker, "labels")

    @cached_property
    def _marker(self) -> ItemMarker:
        (marker,) = self.place.folder(SEGMENT).item_markers([self.subvolume.name])
        return marker
