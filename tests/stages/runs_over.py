"""What tests of runs over a release share: running, dying, and comparing what DVID holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from emseg.config import RunSpec
from emseg.dvid import DvidServer, Labelmap, block_counts, indexed_labels, indices, mappings
from emseg.geometry import Box
from emseg.stages import DvidServices, InProcess, Workplace, run_segment, run_stitch, stage_keys
from emseg.store import FolderStore, Lease


def stitched(spec: RunSpec, store: FolderStore, server: DvidServer, attempt: str = "first") -> Labelmap:
    services = DvidServices(store, server)
    place = Workplace(spec, attempt, lambda: services)
    run_segment(place, InProcess())
    run_stitch(place, InProcess())
    return services.segmentation(spec)


class KilledError(Exception):
    """The driver dies."""


def dying_at(sign: int) -> Callable[[Lease], int]:
    """A lease's `renew` that dies at a sign of life, counted from 0: between two requests to DVID."""
    signs = iter(range(sign))

    def renew(_: Lease) -> int:
        if next(signs, None) is None:
            raise KilledError
        return 1

    return renew


def killed(spec: RunSpec, store: FolderStore, server: DvidServer, attempt: str, sign: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lease, "renew", dying_at(sign))
        with pytest.raises(KilledError):
            stitched(spec, store, server, attempt)
    assert Workplace(spec, "look", lambda: DvidServices(store, server)).folder("write").stage_marker() is None


def state(labelmap: Labelmap, whole: Box, max_scale: int) -> tuple[object, ...]:
    """All that the labelmap holds in `whole` (from voxel 0): blocks, indices, mappings, extents, largest label."""
    z, y, x = (n // 64 for n in whole.stop)
    blocks = [dict(labelmap.stored_blocks(Box.of_shape((z, y, x)), scale)) for scale in range(max_scale + 1)]
    table = indices(labelmap, indexed_labels(labelmap).tolist())
    columns = (table.body, table.supervoxel, table.block, table.count, *mappings(labelmap))
    return (blocks, [column.tolist() for column in columns], labelmap.info(), labelmap.max_label())


def lose_markers(spec: RunSpec, store: FolderStore) -> None:
    """Take the markers of phase `write` away, as if its last driver had died before the first of them."""
    for key in list(store.keys_under(f"{spec.dataset}/stages/write/{stage_keys(spec).write}")):
        if "/items/" in key or key.endswith("marker.json"):
            store.delete(key)


def check_indices_against_voxels(labelmap: Labelmap, whole: Box) -> None:
    """Bodies, sizes and rows of all indices. Oracle: numpy on the voxels that DVID returns, and DVID's own /sizes."""
    bodies, supervoxels = labelmap.read(whole), labelmap.read(whole, supervoxels=True)
    names, sizes = np.unique(bodies[bodies > 0], return_counts=True)
    np.testing.assert_array_equal(indexed_labels(labelmap), names)
    asked = json.dumps(names.tolist()).encode()
    answer = json.loads(labelmap.node.server.get(labelmap.node.path(labelmap.instance, "sizes"), body=asked))
    assert answer == sizes.tolist()
    counted = block_counts(supervoxels, (0, 0, 0))
    table = indices(labelmap, names.tolist())
    order = np.lexsort((*table.block.T[::-1], table.supervoxel))
    wanted = np.lexsort((*counted.block.T[::-1], counted.supervoxel))
    np.testing.assert_array_equal(table.supervoxel[order], counted.supervoxel[wanted])
    np.testing.assert_array_equal(table.block[order], counted.block[wanted])
    np.testing.assert_array_equal(table.count[order], counted.count[wanted])
