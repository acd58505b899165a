"""Ground truth: neurites grown into one another until they fill the tissue; each body is 6-connected."""

from __future__ import annotations

import cc3d
import edt
import fastremap
import numpy as np
from bioimage_cpp.segmentation import watershed

from emseg.array_types import Labels32, Mask
from emseg.synthetic.neurites import grow_tubes
from emseg.synthetic.noise import smooth_noise

_LEAST_SEED_VOX = 200
_WAVE_SIGMA_VOX, _WAVE_DEPTH_VOX = 5.0, 2.5


def pack_bodies(tissue: Mask, rng: np.random.Generator) -> Labels32:
    """Bodies 1..n in order of first appearance, uint32 ZYX; 0 exactly outside `tissue` (bool, connected or not).

    A flood from the tubes, nearest first, bent by noise. A flood never leaves what it has reached, so a body is
    6-connected when its seed is: each connected part of a tube becomes a body of its own, unless it is too small.
    """
    seeds = _connected(grow_tubes(tissue, rng))
    height = edt.edt(seeds == 0, black_border=False, parallel=1)
    height += np.float32(_WAVE_DEPTH_VOX) * smooth_noise(seeds.shape, _WAVE_SIGMA_VOX, rng)
    bodies = watershed(height, seeds, mask=tissue)
    unreached = cc3d.connected_components((bodies == 0) & tissue, connectivity=6, out_dtype=np.uint32)
    bodies = np.where(unreached > 0, unreached + bodies.max(), bodies)
    renumbered, _ = fastremap.renumber(np.ascontiguousarray(bodies), preserve_zero=True)
    return np.ascontiguousarray(renumbered, dtype=np.uint32)


def _connected(tubes: Labels32) -> Labels32:
    parts = cc3d.connected_components(tubes, connectivity=6, out_dtype=np.uint32)
    ids, voxels = fastremap.unique(parts, return_counts=True)
    small = ids[(voxels < _LEAST_SEED_VOX) & (ids != 0)]
    kept: Labels32 = np.ascontiguousarray(fastremap.mask(parts, small))
    return kept
