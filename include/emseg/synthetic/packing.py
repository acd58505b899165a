"""Ground truth: neurites grown into one another until they fill the tissue, each body one 6-connected piece."""

from __future__ import annotations

import cc3d
import edt
import fastremap
import numpy as np
import numpy.typing as npt
from bioimage_cpp.segmentation import watershed

from emseg.synthetic.neurites import Labels, grow_tubes
from emseg.synthetic.noise import smooth_noise

_LEAST_SEED_VOX = 200
_WAVE_SIGMA_VOX, _WAVE_DEPTH_VOX = 5.0, 2.5


def pack_bodies(tissue: npt.NDArray[np.bool_], rng: np.random.Generator) -> Labels:
    """Bodies 1..n in order of first appearance, uint32 ZYX; 0 exactly outside `tissue` (bool, one piece or several).

    A flood from the tubes, nearest first, bent by noise. A flood never leaves what it has reached, so a body is
    6-connected when its seed is: each connected piece of a tube becomes a body of its own, too small ones none.
    """
    seeds = _connected(grow_tubes(tissue, rng))
    height = edt.edt(seeds == 0, black_border=False, parallel=1)
    height += np.float32(_WAVE_DEPTH_VOX) * smooth_noise(seeds.shape, _WAVE_SIGMA_VOX, rng)
    bodies = watershed(height, seeds, mask=tissue)
    unreached = cc3d.connected_components((bodies == 0) & tissue, connectivity=6, out_dtype=np.uint32)
    bodies = np.where(unreached > 0, unreached + bodies.max(), bodies)
    renumbered, _ = fastremap.renumber(np.ascontiguousarray(bodies), preserve_zero=True)
    return np.ascontiguousarray(renumbered, dtype=np.uint32)


def _connected(tubes: Labels) -> Labels:
    pieces = cc3d.connected_components(tubes, connectivity=6, out_dtype=np.uint32)
    ids, voxels = fastremap.unique(pieces, return_counts=True)
    small = ids[(voxels < _LEAST_SEED_VOX) & (ids != 0)]
    kept: Labels = np.ascontiguousarray(fastremap.mask(pieces, small))
    return kept
