"""Mask step `empty-region`: leaves out padding, that is runs of voxels that hold no signal at all."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from emseg.config.step_parameters import EmptyRegionParameters
from emseg.segment.protocol import Gray, Margin, Mask, MaskStep


class EmptyRegionMask(MaskStep[EmptyRegionParameters]):
    """A voxel is empty when a cube of `thickness_vox` voxels a side around or beside it holds one padding level.

    In words of morphology: the opening of `gray == level` by that cube. Saturated specks and thin lines in tissue are
    kept, and a slab of padding is left out to its last voxel. Worked example, one axis, thickness 3: gray
    `0 0 0 0 7 0 0 9` has tissue `F F F F T T T T`: the run of four zeros is padding, the run of two is not.
    """

    name = "empty-region"
    version = 1
    bytes_per_voxel = 5
    Parameters = EmptyRegionParameters

    @property
    def halo_vox(self) -> Margin:
        """Erosion and dilation each look half a cube far."""
        reach = 2 * (self.parameters.thickness_vox // 2)
        return reach, reach, reach

    def mask(self, gray: Gray) -> Mask:
        """True where tissue was imaged. Outside the array counts as padding of the same level."""
        tissue = np.ones(gray.shape, bool)
        size = self.parameters.thickness_vox
        for level in self.parameters.levels:
            padding = gray == level
            if padding.any():
                core = ndimage.minimum_filter(padding, size=size, mode="nearest")
                tissue &= ~(ndimage.maximum_filter(core, size=size, mode="nearest") & padding)
        return tissue
