"""Labels of a source in a DVID labelmap of their own, brick by brick: voxels at every scale, then indices and extents.

Each coarser block is made as soon as its eight finer ones are there, all blocks are read back and compared with what
was sent, and the counted voxels become the indices. Memory of `write`: `PART_BYTES` of labels, and the packed blocks of
a brick's coarser scales.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emseg.array_types import Ids, Labels64
from emseg.dvid import (
    BLOCK_VOX,
    IndexTable,
    Labelmap,
    LabelPyramid,
    NewLabels,
    Node,
    delete_indices,
    indexed_labels,
    listed_labels,
    mappings,
    post_indices,
)
from emseg.dvid.coordinates import one_block, voxels_of
from emseg.dvid.instances import VecNm
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate, checked_labels
from emseg.ingest.bricks import PART_BYTES
from emseg.ingest.sources import VolumeSource, require_exact
from emseg.ingest.targets import require_name

DOING = "ingesting labels"


class LabelBricks:
    """The labels of `source` with its voxels at `box`, in the labelmap `instance` of a node."""

    def __init__(self, node: Node, instance: str, source: VolumeSource, box: Box, max_scale: int) -> None:
        """Nothing is sent."""
        self._labelmap = Labelmap(node, instance)
        self._source, self._box, self._max_scale = source, box, max_scale

    def create(self, voxel_size_nm: VecNm) -> None:
        """Make the labelmap or adopt it; PermanentError as `check`."""
        self.check(voxel_size_nm)
        self._labelmap.create(self._max_scale, voxel_size_nm)

    def check(self, voxel_size_nm: VecNm) -> None:
        """PermanentError for a source that holds no labels, and where the labelmap has other settings, holds another
        volume, or somebody has worked on it. Writes nothing.
        """
        check_label_source(self._source)
        require_name(self._labelmap.instance)
        if not self._labelmap.check(self._max_scale, voxel_size_nm):
            return
        extents = self._labelmap.info().extents
        whole = self._box.covering(BLOCK_VOX)  # where a kill came before the true box
        if extents not in {None, self._box, whole}:
            raise self._refused(f"the instance holds another volume, {extents}", "Use another instance name")
        if len(mappings(self._labelmap)[0]):
            raise self._refused("bodies of the instance were merged or mapped", "Use another instance name")

    def write(self, brick: Box) -> IndexTable:
        """Write the blocks of a brick at every scale, and return the voxels of each label in each block."""
        tables, parts = [], _Parts(self._source, self._box)
        for top in brick.coarser(BLOCK_VOX << self._max_scale).coordinates():
            pyramid = LabelPyramid(top, [{} for _ in range(self._max_scale + 1)], parts)
            pyramid.write(self._labelmap)
            tables.append(pyramid.counts)
        return IndexTable.joined(tables)

    def finish(self, table: IndexTable) -> int:
        """Finish the labelmap in one process that has all counted rows; returns the number of labels."""
        self.require_rows(len(table))
        count = self.post_labels(table, indexed_labels(self._labelmap))
        self.finish_volume()
        return count

    def require_rows(self, rows: int) -> None:
        """PermanentError where nothing was counted."""
        if not rows:
            raise self._refused("every voxel is 0", "Check that this is the right volume")

    def post_labels(self, table: IndexTable, listed: Ids) -> int:
        """Post the indices of some labels, and remove those of the `listed` labels that are not among them.

        An earlier try of another source left these. Returns the number of labels. Doing it twice changes nothing, and
        any number of processes may do it at a time, each for its own labels.
        """
        count = post_indices(self._labelmap, table)
        delete_indices(self._labelmap, np.setdiff1d(listed, table.body).tolist())
        return count

    def finish_volume(self) -> None:
        """Set the extents, when all labels are posted."""
        self._labelmap.set_extents(self._box)

    def listed(self, start: int = 0) -> Iterator[Ids]:
        """The labels that have an index now, from `start` on, as pages."""
        return listed_labels(self._labelmap, start)

    def _refused(self, found: str, remedy: str) -> PermanentError:
        return PermanentError(DOING, self._labelmap.instance, found, remedy)


class _Parts:
    """Blocks of a source, from parts of it that are read once where blocks are asked for in the order of a pyramid."""

    def __init__(self, source: VolumeSource, box: Box) -> None:
        self._source, self._box = source, box
        self._held, self._labels = Box((0, 0, 0), (0, 0, 0)), np.empty((0, 0, 0), np.uint64)

    def __call__(self, block: Coordinate) -> NewLabels | None:
        """The labels of a block, None where all are 0."""
        voxels = voxels_of(one_block(block))
        if voxels.clipped(self._box).is_empty:
            return None
        if not self._held.contains(voxels):
            side = 1 << ((PART_BYTES // 8).bit_length() - 1) // 3
            self._held = voxels.covering(side)
            self._labels = self._read(self._held)
        labels = np.ascontiguousarray(self._labels[voxels.slices(self._held.start)])
        return NewLabels(labels) if labels.any() else None

    def _read(self, region: Box) -> Labels64:
        """The region as uint64, 0 outside the volume."""
        part = region.clipped(self._box)
        labels = np.zeros(region.shape, np.uint64)
        on = f"{self._source.info.address}, voxels {part.start} to {part.stop}"
        labels[part.slices(region.start)] = checked_labels(
            self._source.read(part.translated(-self._box.start)), DOING, on
        )
        return labels


def check_label_source(source: VolumeSource) -> None:
    """PermanentError for a source that cannot hold labels: of another type, or with values that were not saved so."""
    checked_labels(np.zeros(0, source.dtype), DOING, source.info.address)
    if source.info.altered:
        found = f"its values are not exactly those that were saved: {'; '.join(source.info.notes)}"
        remedy = "Save the labels with black as zero (MINISBLACK), 8, 16 or 32 bits, without a palette"
        raise PermanentError(DOING, source.info.address, found, remedy)
    require_exact(source, DOING)
