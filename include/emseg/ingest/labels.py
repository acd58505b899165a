"""Labels from files (ground truth, a segmentation made elsewhere) into a DVID labelmap of their own, in one process."""

from __future__ import annotations

from emseg.dvid import IndexTable, Node
from emseg.dvid.instances import VecNm
from emseg.geometry import ORIGIN, Box, placed_box
from emseg.ingest.bricks import LABEL_BYTES, bricks_of
from emseg.ingest.label_bricks import DOING, LabelBricks
from emseg.ingest.progress import IngestReceipt, Progress, no_progress
from emseg.ingest.sources import VolumeSource


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
    target, box = label_target(node, instance, source, voxel_size_nm, max_scale, offset)
    target.create(voxel_size_nm)
    bricks = bricks_of(box, max_scale, LABEL_BYTES, source.info.chunk_vox)
    tables: list[IndexTable] = []
    for done, brick in enumerate(bricks, 1):
        tables.append(target.write(brick))
        progress(done, len(bricks))
    return IngestReceipt(box, len(bricks), target.finish(IndexTable.joined(tables)))


def label_target(
    node: Node,
    instance: str,
    source: VolumeSource,
    voxel_size_nm: VecNm,
    max_scale: int,
    offset: tuple[int, int, int],
) -> tuple[LabelBricks, Box]:
    """Where the labels go, and their voxels there. PermanentError for all that would be refused; writes nothing."""
    box = placed_box(source.shape, offset, DOING, f"instance {instance!r}")
    target = LabelBricks(node, instance, source, box, max_scale)
    target.check(voxel_size_nm)
    return target, box
