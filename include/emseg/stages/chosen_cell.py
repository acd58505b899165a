"""A subvolume of the run as it is to be in the labelmap: which of its voxels are replaced, by which ids.

All of it is a function of the spec, so that every brick that holds a part of the subvolume sees the same. Memory: 5
bytes a core voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emseg.dvid import BLOCK_VOX, Mask, kept_supervoxels
from emseg.geometry import Box, Subvolume
from emseg.stages.match import read_labels
from emseg.stages.renaming import Renaming
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.services import DvidServices, Workplace
from emseg.stitch import Ids, cells_of, supervoxel_ids
from emseg.store import ItemMarker


@dataclass(frozen=True)
class ChosenCell:
    """One subvolume that was segmented. `part` below is a box of voxels in its core.

    `staying` are ids that old supervoxels keep outside of the subvolume whose ids they are.
    """

    place: Workplace[DvidServices]
    subvolume: Subvolume
    staying: Ids

    def gather(self, part: Box, ids: npt.NDArray[np.uint64], changed: Mask) -> None:
        """Write which voxels of `part` are replaced, and by which ids, 0 elsewhere; both of `part.shape`.

        Replaced are the voxels in the ROI and in no preserved body; ids are those that new supervoxels have in DVID.
        """
        changed[...] = self._changed[part.slices(self._blocks.start)]
        supervoxel_ids(self._labels[part.slices(self.subvolume.core.start)], self.subvolume.number, ids)
        if self.renaming.supervoxels.size:
            ids[...] = self.renaming.applied_to(ids)
        if not changed.all():
            ids[~changed] = 0

    @cached_property
    def renaming(self) -> Renaming:
        """The new supervoxels that are not called as their place says.

        Also of labels that lie in the halo only: a body may be named after one.
        """
        labels = np.arange(1, int(self._marker.statistics["segments"]) + 1, dtype=np.uint32)
        return Renaming.beside(self._taken(), supervoxel_ids(labels, self.subvolume.number))

    def _taken(self) -> Ids:
        """Ids of this subvolume that stay: of old supervoxels in its blocks (also past the edge of the volume) and
        elsewhere, and the names of preserved bodies, which need not be a supervoxel's.
        """
        spec = self.place.spec
        kept = kept_supervoxels(self.place.open_services().inherited(spec), self._blocks, self._changed)
        taken = np.unique(np.concatenate([kept, self.staying, np.array(spec.output.preserve_bodies, np.uint64)]))
        own: Ids = taken[cells_of(taken) == self.subvolume.number]
        return own

    @property
    def _blocks(self) -> Box:
        """The core grown to whole blocks."""
        return self.subvolume.core.covering((BLOCK_VOX, BLOCK_VOX, BLOCK_VOX))

    @cached_property
    def _changed(self) -> Mask:
        spec, services, core = self.place.spec, self.place.open_services(), self.subvolume.core
        roi, free = services.roi(spec), ~services.preserved(spec, core)
        changed = np.zeros(self._blocks.shape, bool)
        changed[core.slices(self._blocks.start)] = free if roi is None else free & roi.mask(core)
        return changed

    @cached_property
    def _labels(self) -> npt.NDArray[np.uint32]:
        return read_labels(self.place.folder(SEGMENT), self._marker, "labels")

    @cached_property
    def _marker(self) -> ItemMarker:
        (marker,) = self.place.folder(SEGMENT).item_markers([self.subvolume.name])
        return marker
