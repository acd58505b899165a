"""Runs over inherited labels: making the volume and the release, running, dying, and comparing what DVID holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.running import after

from emseg.array_types import Labels64
from emseg.config import RunParameters, RunSpec
from emseg.dvid import (
    DvidServer,
    Labelmap,
    Node,
    RoiInstance,
    block_counts,
    create_repo,
    indexed_labels,
    indices,
    mappings,
)
from emseg.geometry import Box, Roi
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.labelmaps import segmentation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import FolderStore, Lease
from emseg.synthetic import make_volume
from emseg.tasks.pin import pin_run

VOXEL_NM = (10.0, 10.0, 10.0)
MAX_SCALE = 1
SEGMENTATION = "segmentation"
"""The labelmap that the release is in, and that a run writes to unless it is told another."""


class KilledError(Exception):
    """The driver dies."""


@dataclass(frozen=True)
class Runs:
    """Runs of the dataset `name`, cut into cores of `core_vox`: on one server, with one store."""

    server: DvidServer
    folder: Path
    name: str
    core_vox: tuple[int, int, int]

    def volume(self, shape: tuple[int, int, int], seed: int) -> Node:
        """A committed node with synthetic grayscale and its ground truth."""
        made = make_volume(shape, seed=seed)
        root = Node(self.server, create_repo(self.server, self.name, "runs over inherited labels"))
        ingest_grayscale(root, "grayscale", ArrayVolume(made.grayscale, "grayscale"), VOXEL_NM)
        ingest_labels(root, "groundtruth", ArrayVolume(made.groundtruth, "groundtruth"), VOXEL_NM)
        root.commit("volume")
        return root

    def pinned(
        self,
        node: Node,
        instance: str = SEGMENTATION,
        roi: str | None = None,
        keep: Sequence[int] = (),
        threshold: float | None = None,
    ) -> RunSpec:
        """A run of a version: into which labelmap, in the ROI or not, what to preserve, how strongly to join."""
        document = {
            "name": self.name,
            "description": "runs over inherited labels",
            "volume": {"node": node.uuid, "groundtruth": {"instance": "groundtruth"}},
            "segmentation": {"core_vox": [*self.core_vox], "halo_vox": [20, 20, 20]},
            "output": {"instance": instance, "max_scale": MAX_SCALE, "preserve_bodies": [*keep]},
        }
        (self.folder / f"{self.name}.yaml").write_text(yaml.safe_dump(document))
        steps = {} if threshold is None else {"agglomerate": {"threshold": threshold}}
        return pin_run(
            RunParameters(dataset=self.name, roi=roi, step_parameters=steps), self.name, self.folder, self.server
        )

    def context(self, spec: RunSpec, attempt: str = "look") -> RunContext[DvidServices]:
        services = DvidServices(FolderStore(self.folder / "store"), self.server)
        return RunContext(spec, attempt, lambda: services)

    def stitched(self, spec: RunSpec, attempt: str = "first") -> Labelmap:
        """What the run wrote, all in this process."""
        return segmentation(after(self.context(spec, attempt), "segment", "stitch"))

    def killed(self, spec: RunSpec, attempt: str, sign: int) -> None:
        """The run dies at a sign of life of its one writer, counted from 0: between two requests to DVID."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lease, "renew", _dying_at(sign))
            with pytest.raises(KilledError):
                self.stitched(spec, attempt)
        assert self.context(spec).folder("write").phase_marker() is None

    def lose_markers(self, spec: RunSpec) -> None:
        """Take the markers of phase `write` away, as if its last driver had died before the first of them."""
        run = self.context(spec)
        store = run.open_services().store
        keys = list(store.keys_under(f"{spec.dataset}/phases/write/{run.keys['write']}"))
        lost = [key for key in keys if "/items/" in key or key.endswith("marker.json")]
        assert lost
        for key in lost:
            store.delete(key)


def _dying_at(sign: int) -> Callable[[Lease], int]:
    signs = iter(range(sign))

    def renew(_: Lease) -> int:
        if next(signs, None) is None:
            raise KilledError
        return 1

    return renew


def with_roi(release: Node, name: str, blocks: Sequence[tuple[int, int, int]]) -> Node:
    """A committed node below the release that also holds a ROI."""
    node = release.branch("regions")
    region = RoiInstance(node, name)
    region.create()
    region.write(Roi.of_blocks(blocks))
    node.commit("a region")
    return node


def labels_in(labelmap: Labelmap, box: Box, supervoxels: bool, scale: int = 0) -> Labels64:
    """Labels64 of a box that begins at voxel 0; its shape is that at scale 0."""
    z, y, x = (n >> scale for n in box.stop)
    return labelmap.read(Box((0, 0, 0), (z, y, x)), supervoxels=supervoxels, scale=scale)


def state(labelmap: Labelmap, box: Box) -> tuple[object, ...]:
    """All that the labelmap holds in a box from voxel 0: blocks, indices, mappings, extents, largest label."""
    z, y, x = (n // 64 for n in box.stop)
    blocks = [dict(labelmap.stored_blocks(Box.of_shape((z, y, x)), scale)) for scale in range(MAX_SCALE + 1)]
    table = indices(labelmap, indexed_labels(labelmap).tolist())
    columns = (table.body, table.supervoxel, table.block, table.count, *mappings(labelmap))
    return (blocks, [column.tolist() for column in columns], labelmap.info(), labelmap.max_label())


def check_one_to_one(first: Labels64, second: Labels64) -> None:
    """Both divide the voxels in the same way, and 0 is 0."""
    np.testing.assert_array_equal(first == 0, second == 0)
    firsts, of_first = np.unique(first, return_inverse=True)
    seconds, of_second = np.unique(second, return_inverse=True)
    assert len(np.unique(of_first * len(seconds) + of_second)) == len(firsts) == len(seconds)


def check_indices_against_voxels(labelmap: Labelmap, box: Box) -> None:
    """Bodies, sizes and rows of all indices. Oracle: numpy on the voxels that DVID returns, and DVID's own /sizes."""
    bodies, supervoxels = labels_in(labelmap, box, False), labels_in(labelmap, box, True)
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
