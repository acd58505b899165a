"""Supervoxels step `dt-watershed`: a watershed from the points that lie deepest inside cells.

Source: Beier et al., "Multicut brings automated neurite segmentation closer to human performance", Nature Methods 2017
(seeds at maxima of the smoothed distance to the boundary).
"""

from __future__ import annotations

from math import prod

import cc3d
import edt
import fastremap
import numpy as np
from bioimage_cpp.filters import gaussian_smoothing
from bioimage_cpp.segmentation import watershed
from scipy import ndimage

from emseg.config.step_parameters import DtWatershedParameters
from emseg.geometry import Coordinate
from emseg.segment.protocol import Labels, Margin, Mask, Probability, SupervoxelStep

_WINDOW = 3.0


class DtWatershed(SupervoxelStep[DtWatershedParameters]):
    """A seed at each maximum of the smoothed distance to the boundary; a flood of probability and closeness from them.

    The height is `(1 - w) p + w (1 - d / cap)`: with w = 0.2, cap = 80, a voxel of p = 0.1 at distance 40 has height
    0.18. The cap bounds how far away a voxel can influence another one's height or seed. The flood itself reaches
    without bound, as in any watershed.
    """

    name = "dt-watershed"
    version = 2
    bytes_per_voxel = 40
    Parameters = DtWatershedParameters

    @property
    def halo_vox(self) -> Margin:
        """Reach of heights and seeds: capped distance, smoothing, and one voxel to compare maxima."""
        p = self.parameters
        capped, smoothed = self.setting.margin(p.distance_cap_nm), self.setting.margin(_WINDOW * p.smoothing_nm)
        return Coordinate.of(capped) + smoothed + 1

    def supervoxels(self, probability: Probability, mask: Mask) -> Labels:
        """A label for every voxel of the mask; a part of the mask that no seed reaches is a supervoxel of its own."""
        inside = (probability < self.parameters.boundary_min) & mask
        height, seeds = self._height_and_seeds(probability, inside)
        labels = watershed(height, seeds, mask=mask)
        labels = self._without_small(labels, height, mask)
        return _filled(labels, mask)

    def _height_and_seeds(self, probability: Probability, inside: Mask) -> tuple[Probability, Labels]:
        p = self.parameters
        distance = edt.edt(inside, anisotropy=self.setting.voxel_size_nm, black_border=False, parallel=1)
        np.minimum(distance, np.float32(p.distance_cap_nm), out=distance)
        smooth = gaussian_smoothing(distance, self.setting.in_voxels(p.smoothing_nm), window_size=_WINDOW)
        maxima = (ndimage.maximum_filter(smooth, size=3) == smooth) & inside
        seeds = cc3d.connected_components(maxima, connectivity=26, out_dtype=np.uint32)
        del smooth, maxima
        distance *= np.float32(-p.distance_weight / p.distance_cap_nm)
        distance += np.float32(p.distance_weight)
        distance += np.float32(1 - p.distance_weight) * probability
        return distance, seeds

    def _without_small(self, labels: Labels, height: Probability, mask: Mask) -> Labels:
        ids, sizes = fastremap.unique(labels, return_counts=True)
        small = ids[(sizes * prod(self.setting.voxel_size_nm) < self.parameters.min_size_nm3) & (ids != 0)]
        if len(small) == 0:
            return labels
        kept = np.ascontiguousarray(fastremap.mask(labels, small))
        reflooded: Labels = watershed(height, kept, mask=mask)
        return reflooded


def _filled(labels: Labels, mask: Mask) -> Labels:
    unreached = (labels == 0) & mask
    if not unreached.any():
        return labels
    parts = cc3d.connected_components(unreached, connectivity=6, out_dtype=np.uint32)
    return np.where(unreached, parts + labels.max(), labels)
