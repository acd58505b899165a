"""Labels from files (ground truth, a segmentation made elsewhere) into a DVID labelmap of their own.

Voxels of scale 0 come from the file; each coarser scale is computed from the finer one as DVID holds it. All blocks are
read back and compared with what was sent, then one pass over the counted voxels writes the indices. Every step may be
done twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emseg.array_types import Labels64
from emseg.dvid import (
    IndexTable,
    Labelmap,
    Node,
    delete_indices,
    downsample_labels,
    indexed_labels,
    mappings,
    post_indices,
    write_brick,
)
from emseg.dvid.coordinates import blocks_around
from emseg.dvid.instances import VecNm
from emseg.dvid.labels.block import SHAPE
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, Box, checked_labels, placed_box
from emseg.ingest.progress import IngestReceipt, Progress, no_progress
from emseg.ingest.sources import VolumeSource

DOING = "ingesting labels"
BRICK_VOXELS = 256**3
"""Voxels in memory at once: 128 MB as uint64."""


def ingest_labels(
    node: Node,
    instance: str,
    source: VolumeSource,
    voxel_size_nm: VecNm,
    max_scale: int = 2,
    offset: tuple[int, int, int] = ORIGIN,
    progress: Progress = no_progress,
) -> IngestReceipt:
    """Write `source` (integers from 0 to 2^48 - 1) with its first voxel at `offset`: voxels at every scale, indices,
    extents. The instance belongs to this volume alone; doing it twice changes nothing.
    """
    box = placed_box(source.shape, offset, DOING, f"instance {instance!r}")
    labelmap = _own_labelmap(node, instance, source, voxel_size_nm, max_scale, box)
    scales = range(labelmap.info().max_scale + 1)
    bricks = [(scale, brick) for scale in scales for brick in _bricks(box, scale)]
    tables: list[IndexTable] = []
    for done, (scale, brick) in enumerate(bricks, 1):
        if scale == 0:
            labels = _from_source(source, box, brick)
        else:
            labels = downsample_labels(labelmap.read(brick.finer(2), supervoxels=True, scale=scale - 1))
        counts = write_brick(labelmap, scale, labels, blocks_around(brick).start)
        if scale == 0:
            tables.append(counts)
        progress(done, len(bricks))
    count = _write_indices(labelmap, tables)
    labelmap.set_extents(box)
    return IngestReceipt(box, len(bricks), count)


def check_label_source(source: VolumeSource) -> None:
    """PermanentError for a source that cannot hold labels: of another type, or with values that viewers alone see."""
    checked_labels(np.zeros(0, source.dtype), DOING, source.info.address)
    if source.info.as_shown:
        found = f"its values are not those that the file stores: {'; '.join(source.info.notes)}"
        remedy = "Save the labels with black as zero (MINISBLACK), 8, 16 or 32 bits, without a palette"
        raise _refused(source.info.address, found, remedy)


def _own_labelmap(
    node: Node, instance: str, source: VolumeSource, voxel_size_nm: VecNm, max_scale: int, box: Box
) -> Labelmap:
    """The instance, made or adopted; refused where it holds another volume or somebody has worked on it."""
    check_label_source(source)
    labelmap = Labelmap(node, instance)
    labelmap.create(max_scale, voxel_size_nm)
    extents = labelmap.info().extents
    if extents not in {None, box, box.covering(SHAPE)}:  # whole blocks, where a kill came before the true box
        raise _refused(instance, f"the instance holds another volume, {extents}", "Use another instance name")
    if len(mappings(labelmap)[0]):
        raise _refused(instance, "bodies of the instance were merged or mapped", "Use another instance name")
    return labelmap


def _bricks(box: Box, scale: int) -> Iterator[Box]:
    """Whole blocks of `scale` that cover `box` (voxels of scale 0), in voxels of `scale`."""
    at_scale = box.coarser(1 << scale)
    # Coarser scales read eight times as many voxels as they write.
    return request_boxes(at_scale.covering(SHAPE), SHAPE, BRICK_VOXELS if scale == 0 else BRICK_VOXELS // 8)


def _from_source(source: VolumeSource, box: Box, brick: Box) -> Labels64:
    """The brick as uint64, 0 outside the volume."""
    part = brick.clipped(box)
    on = f"{source.info.address}, voxels {part.start} to {part.stop}"
    labels = np.zeros(brick.shape, np.uint64)
    labels[part.slices(brick.start)] = checked_labels(source.read(part.translated(-box.start)), DOING, on)
    return labels


def _write_indices(labelmap: Labelmap, tables: list[IndexTable]) -> int:
    """Post the indices of all labels, and remove those of labels that an earlier, other try left."""
    table = IndexTable.joined(tables)
    if not len(table):
        raise _refused(labelmap.instance, "every voxel is 0", "Check that this is the right volume")
    count = post_indices(labelmap, table)
    gone = np.setdiff1d(indexed_labels(labelmap), table.body)
    delete_indices(labelmap, gone.tolist())
    return count


def _refused(on: str, found: str, remedy: str) -> PermanentError:
    return PermanentError(DOING, on, found, remedy)
