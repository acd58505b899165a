"""A subvolume of the run as it is to be in the labelmap: which of its voxels are replaced, by which ids.

All of it is a function of the spec, so that every brick that holds a part of the subvolume sees the same. Memory: 5
bytes a core voxel; 4 more while ids are looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.dvid import BLOCK_VOX, Mask, kept_supervoxels
from emseg.geometry import Box, Subvolume
from emseg.stages.complete_labelmap import ancestor_of
from emseg.stages.match import read_labels
from emseg.stages.renaming import Renaming
from emseg.stages.segment import STAGE as SEGMENT
from emseg.stages.services import DvidServices, Workplace
from emseg.stitch import Ids, cells_of, supervoxel_ids


@dataclass(frozen=True)
class ChosenCell:
    """One subvolume that was segmented. `part` below is a box of voxels in its core."""

    place: Workplace[DvidServices]
    subvolume: Subvolume

    def changed_in(self, part: Box) -> Mask:
        """Which voxels of `part` are replaced: those in the ROI. Bool, `part.shape`."""
        return self._changed[part.slices(self._blocks.start)]

    def ids_in(self, part: Box) -> npt.NDArray[np.uint64]:
        """The new supervoxels of `part` under the names that they have in DVID, 0 where none is; `part.shape`."""
        labels = self._labels[part.slices(self.subvolume.core.start)]
        return self.renaming.applied_to(supervoxel_ids(labels, self.subvolume.number))

    @cached_property
    def renaming(self) -> Renaming:
        """The new supervoxels that are not called as their place says."""
        taken = self._taken()
        labels = fastremap.unique(self._labels) if len(taken) else np.empty(0, np.uint32)
        return Renaming.beside(taken, supervoxel_ids(labels[labels > 0], self.subvolume.number))

    def _taken(self) -> Ids:
        """Ids of this subvolume that old supervoxels in its blocks keep; also those past the edge of the volume."""
        ancestor = ancestor_of(self.place.open_services(), self.place.spec)
        kept = kept_supervoxels(ancestor, self._blocks, self._changed)
        taken: Ids = kept[cells_of(kept) == self.subvolume.number]
        return taken

    @property
    def _blocks(self) -> Box:
        """The core grown to whole blocks."""
        return self.subvolume.core.covering((BLOCK_VOX, BLOCK_VOX, BLOCK_VOX))

    @cached_property
    def _changed(self) -> Mask:
        core, roi = self.subvolume.core, self.place.open_services().roi(self.place.spec)
        changed = np.zeros(self._blocks.shape, bool)
        changed[core.slices(self._blocks.start)] = True if roi is None else roi.mask(core)
        return changed

    @cached_property
    def _labels(self) -> npt.NDArray[np.uint32]:
        segmented = self.place.folder(SEGMENT)
        (marker,) = segmented.item_markers([self.subvolume.name])
        return read_labels(segmented, marker, "labels")
