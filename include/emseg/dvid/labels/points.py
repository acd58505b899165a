"""Labels at single voxels, for example at synapses and at the nodes of skeletons."""

from __future__ import annotations

import json

import numpy as np

from emseg.array_types import Counts, Ids
from emseg.dvid.coordinates import blocks_of_points
from emseg.dvid.labels.labelmap import Labelmap
from emseg.errors import IntegrityError

REQUEST_POINTS = 10_000
"""Points of one request: at most so many blocks are read for it, well within DVID's 600 s."""


def labels_at(labelmap: Labelmap, points: Counts) -> Ids:
    """Bodies at (n, 3) voxels ZYX of scale 0, uint64; 0 where nothing is stored. Points may come more than once.

    They are asked for block by block, so that the server reads each block about once.
    """
    labels = np.zeros(len(points), np.uint64)
    order = np.lexsort(blocks_of_points(points).T[::-1])
    for first in range(0, len(order), REQUEST_POINTS):
        rows = order[first : first + REQUEST_POINTS]
        labels[rows] = _asked(labelmap, points[rows])
    return labels


def _asked(labelmap: Labelmap, points: Counts) -> Ids:
    where = labelmap.node.path(labelmap.instance, "labels")
    answer = labelmap.node.server.get(where, body=json.dumps(points[:, ::-1].tolist()).encode())
    try:
        found = np.array(json.loads(answer), np.uint64)
    except (ValueError, TypeError, OverflowError):
        found = np.empty(0, np.uint64)
    if found.shape != (len(points),):
        told = f"not one label for each of {len(points)} points"
        raise IntegrityError("reading labels at points", f"GET {where}", told, "Try again")
    return found
